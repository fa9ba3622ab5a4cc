import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("Requests outside of calls", .timeLimit(.minutes(1)))
struct RequestsTests {
    @Test(
        "methods that are not served: 405 with Allow (RFC 3261 section 8.2.1)",
        arguments: ["REGISTER", "MESSAGE", "INFO"])
    func notAllowed(method: String) async throws {
        let bench = Bench()
        for uri in ["sip:example.com", "sip:lobby@example.com"] {
            let answer = try await bench.refusal(of: .make(method, uri))
            #expect(answer.status == 405)
            #expect(
                answer.header("Allow")
                    == "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, SUBSCRIBE, NOTIFY, REFER, PUBLISH")
        }
    }

    @Test("unknown methods: 501 (RFC 3261 section 21.5.2)")
    func unknown() async throws {
        #expect(try await Bench().refusal(of: .make("BREW", "sip:lobby@example.com")).status == 501)
    }

    @Test("OPTIONS to a room tells that it is a focus (RFC 4579 section 5.13)")
    func options() async throws {
        let bench = Bench()
        let answer = try await bench.refusal(of: .options("sip:lobby@example.com"))
        #expect(answer.status == 200)
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
    }

    @Test("OPTIONS to the server (RFC 3261 section 11.2)")
    func serverOptions() async throws {
        let answer = try await Bench().refusal(of: .options("sip:example.com"))
        #expect(answer.status == 200)
        #expect(answer.contact == "<sip:192.0.2.1:5060>;isfocus")
    }

    @Test("OPTIONS to a room that could not be joined: 404 (RFC 3261 section 11.2)")
    func missingRoom() async throws {
        let bench = Bench {
            $0.createsRoomsOnDemand = false
            $0.rooms = [RoomConfiguration(address: Bench.room)]
        }
        #expect(try await bench.refusal(of: .options("sip:lobby@example.com")).status == 200)
        #expect(try await bench.refusal(of: .options("sip:conference@example.com")).status == 200)
        #expect(try await bench.refusal(of: .options("sip:Lobby@example.com")).status == 404)
        #expect(try await bench.refusal(of: .options("sip:lobby@example.net")).status == 404)
        #expect(try await bench.refusal(of: .options("tel:+49123")).status == 416)
    }

    @Test("OPTIONS within a call is answered like the first (RFC 3261 section 11)")
    func inDialog() async throws {
        let bench = Bench()
        let (call, _, _) = try await bench.join()
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.inDialogRequest(call, transaction, .options("sip:lobby@192.0.2.1:5060")))
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200 && answer.transaction == transaction)
        await bench.focus.handle(
            .inDialogRequest(call, bench.nextTransaction(), .make("INFO", "sip:lobby@192.0.2.1:5060")))
        #expect(try await bench.nextAnswer().status == 405)
    }

    @Test("the stack shows what the focus serves, and the package of a focus (RFC 4579 section 5.13)")
    func capabilities() {
        var configuration = SIPConfiguration(listeners: [])
        Capabilities.apply(to: &configuration)
        #expect(
            configuration.allow
                == [
                    "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH",
                ])
        #expect(
            configuration.supported
                == ["timer", "replaces", "join", "norefersub", "multiple-refer", "recipient-list-invite"])
        #expect(configuration.allowEvents == ["conference", "refer"])
    }
}
