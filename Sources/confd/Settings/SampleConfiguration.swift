/// Writes config.ini.sample out of the table of options.
enum SampleConfiguration {
    static var text: String {
        var lines = [
            "; confd configuration: every option with its default.",
            ";",
            "; The file is looked for as --config-file says, else ./config.ini, else /etc/confd/config.ini, else",
            "; /etc/msrprelay/config.ini.",
            "; `confd check-config` tells what is wrong with it.",
            ";",
            "; A comment starts with ; or # at the start of a line, or with ; after a blank. Values are not quoted.",
            "; Names of sections and options may be written in any case. Yes, True, On and 1 mean the same, and so do",
            "; No, False, Off and 0. Sizes: bytes, or a number with KiB, MiB or GiB. Durations: a number with ms, s, min",
            "; or h (s when there is none). Relative paths start at the folder of this file.",
            ";",
            "; An option may also be given by the environment, as CONFD_SECTION_OPTION (CONFD_SIP_LISTEN), and by the",
            "; command line, as --set Section.option=value, which wins over both. SIGHUP makes a running confd read",
            "; everything again.",
        ]
        for section in Options.sections {
            lines += ["", ""]
            lines += section.documentation.map { "; \($0)" }
            lines.append("[\(section.name)]")
            let table = section.name.split(separator: " ").first.map(String.init) ?? section.name
            if table == Options.memory { lines += ["", ";\(Options.memoryExample)"] }
            for option in Options.all where option.section == table {
                lines.append("")
                lines += option.documentation.map { "; \($0)" }
                if option.hasWritableDefault {
                    lines.append("\(option.key) = \(option.defaultText)")
                } else {
                    lines.append("; Default: \(option.defaultText.dropFirst().dropLast()).")
                    lines.append(";\(option.key) = \(option.example ?? "")")
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
