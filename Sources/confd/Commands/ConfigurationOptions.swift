internal import ArgumentParser

/// The options of every command that reads the configuration.
struct ConfigurationOptions: ParsableArguments {
    @ArgumentParser.Option(
        name: .long,
        help: ArgumentHelp(
            "The configuration file.",
            discussion:
                "Without it: ./config.ini, else /etc/confd/config.ini, else /etc/msrprelay/config.ini, else every "
                + "option's default.",
            valueName: "file"))
    var configFile: String?

    @ArgumentParser.Option(
        name: .long,
        help: ArgumentHelp("The folder of the configuration file, which is then config.ini.", valueName: "folder"))
    var configDir: String?

    @ArgumentParser.Option(
        name: .long,
        help: ArgumentHelp(
            "An option given here wins over environment and file; may be repeated.",
            discussion: "For example --set SIP.listen=udp:127.0.0.1:0 --set Log.level=debug. "
                + "The environment says the same as CONFD_SIP_LISTEN, CONFD_LOG_LEVEL.",
            valueName: "section.option=value"))
    var set: [String] = []

    func load() -> SettingsFile.Loaded {
        SettingsFile.load(named: configFile ?? configDir.map { "\($0)/config.ini" }, overrides: set)
    }
}
