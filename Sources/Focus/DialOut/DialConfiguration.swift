package import SIP

/// How the focus calls people, and how many: every limit that a list or a REFER can run into has its name here.
package struct DialConfiguration: Sendable {
    /// `[MSRP] offer = tls`: our first offer is TCP/TLS/MSRP; after a 488 the other transport is offered once.
    package var offersTLS = false

    /// `[Outbound] proxy`: where all requests go that begin a dialog; nil: where RFC 3263 finds the target.
    package var proxy: SIPURI?
    /// `[Outbound] user`, `password`: what a 401 or 407 to a request of ours is answered with.
    package var credentials: Credentials?

    /// How long a phone may ring before we give up; below the mixer's `bindTimeout`, which runs meanwhile.
    package var answerTimeout: Duration = .seconds(50)
    /// How long who took our REFER may take to call us or to say that they won't.
    package var referTimeout: Duration = .seconds(60)

    /// How long the subscription lives that a REFER to us makes, unless it is refreshed (RFC 3515 section 2.4.4).
    package var reportExpiry: Duration = .seconds(180)
    /// The longest that a refresh may ask for.
    package var longestReportExpiry: Duration = .seconds(3600)

    package var limits = Limits()

    package init() {}

    package struct Credentials: Sendable, Equatable {
        package var user: String
        package var password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// What is beyond these is refused, and counted by its name in `DialCounters`.
    package struct Limits: Sendable {
        /// Entries of one list, duplicates included: 413.
        package var listEntries = 200
        /// Octets of one list document: 413.
        package var listOctets = 64 * 1024
        /// Dial-outs under way in all, per room, and per account that asked; more of them wait.
        package var underWay = 500
        package var underWayPerRoom = 50
        package var underWayPerAccount = 50
        /// Dial-outs that wait for one of the above: 503.
        package var waiting = 2_000
        /// Dial-outs that may wait or be under way for one account: 503.
        package var waitingPerAccount = 400
        /// Calls to one address: so many at once, and then one in each interval: 503.
        package var burstPerAddress = 5
        package var intervalPerAddress: Duration = .seconds(10)
        /// Calls to one host (of the URI): so many at once, and then one in each interval: 503.
        package var burstPerHost = 400
        package var intervalPerHost: Duration = .milliseconds(100)
        /// Addresses and hosts whose rate is remembered.
        package var rememberedDestinations = 10_000
        /// Subscriptions to the outcome of a REFER, in all and per account: 503.
        package var reports = 5_000
        package var reportsPerAccount = 100

        package init() {}
    }
}
