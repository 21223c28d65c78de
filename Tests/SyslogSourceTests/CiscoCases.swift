@testable import SyslogSource

extension MessageCase {
  /// What Cisco's systems send, and what looks like it.
  static let cisco: [MessageCase] = [
    .init(
      "<189>29: *Sep  1 10:01:05.123: %SYS-5-CONFIG_I: Configured from console by vty0", pri: 189, time: "2026-09-01T10:01:05.123Z",
      app: "%SYS-5-CONFIG_I", structured: #"{"meta":{"sequenceId":"29"}}"#, message: "Configured from console by vty0"),
    .init(
      "<187>000123: .Sep  1 10:01:05: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up", pri: 187, time: "2026-09-01T10:01:05Z",
      app: "%LINK-3-UPDOWN", structured: #"{"meta":{"sequenceId":"000123"}}"#, message: "Interface Gi0/1, changed state to up"),
    .init(
      "<187>12: rt1: *Sep  1 10:01:05: %LINK-3-UPDOWN: up", pri: 187, time: "2026-09-01T10:01:05Z", host: "rt1", app: "%LINK-3-UPDOWN",
      structured: #"{"meta":{"sequenceId":"12"}}"#, message: "up"),
    .init(
      "<187>12: 192.0.2.1: Sep  1 10:01:05: %LINK-3-UPDOWN: up", pri: 187, time: "2026-09-01T10:01:05Z", host: "192.0.2.1",
      app: "%LINK-3-UPDOWN", structured: #"{"meta":{"sequenceId":"12"}}"#, message: "up"),
    .init(
      "<187>rt1: *Sep  1 10:01:05.001: %LINK-3-UPDOWN: up", pri: 187, time: "2026-09-01T10:01:05.001Z", host: "rt1", app: "%LINK-3-UPDOWN",
      message: "up"),
    .init(
      "<189>30: *Sep  1 10:01:05.123 UTC: %SYS-5-CONFIG_I: zone", pri: 189, time: "2026-09-01T10:01:05.123Z", app: "%SYS-5-CONFIG_I",
      structured: #"{"meta":{"sequenceId":"30"}}"#, message: "zone"),
    .init(
      "<189>31: Sep  1 10:01:05.123 PDT: %SYS-5-CONFIG_I: abbreviation", pri: 189, time: "2026-09-01T10:01:05.123Z", app: "%SYS-5-CONFIG_I",
      structured: #"{"meta":{"sequenceId":"31"}}"#, message: "abbreviation"),
    .init(
      "<189>*Sep  1 10:01:05.123: %SYS-5-CONFIG_I: no number", pri: 189, time: "2026-09-01T10:01:05.123Z", app: "%SYS-5-CONFIG_I",
      message: "no number"),
    .init(
      "<189>33: %SYS-5-RESTART: System restarted", pri: 189, app: "%SYS-5-RESTART", structured: #"{"meta":{"sequenceId":"33"}}"#,
      message: "System restarted"),
    .init(
      "<189>: 2026 Sep  1 10:01:05.123 UTC: %DAEMON-5-SYSTEM_MSG: nx", pri: 189, time: "2026-09-01T10:01:05.123Z",
      app: "%DAEMON-5-SYSTEM_MSG", message: "nx"),
    .init(
      "<189>: 2026 Sep  1 10:01:05 CEST: %ETHPORT-5-IF_UP: nx", pri: 189, time: "2026-09-01T10:01:05Z", app: "%ETHPORT-5-IF_UP",
      message: "nx"),
    .init(
      "<166>Sep 01 2026 10:01:05: %ASA-6-302013: Built outbound TCP", pri: 166, time: "2026-09-01T10:01:05Z", app: "%ASA-6-302013",
      message: "Built outbound TCP"),
    .init(
      "<166>Sep 01 2026 10:01:05 fw1 : %ASA-6-302013: Built outbound TCP", pri: 166, time: "2026-09-01T10:01:05Z", host: "fw1",
      app: "%ASA-6-302013", message: "Built outbound TCP"),
    .init(
      "<166>Sep 01 2026 10:01:05 fw1 %ASA-6-302013: Built outbound TCP", pri: 166, time: "2026-09-01T10:01:05Z", host: "fw1",
      app: "%ASA-6-302013", message: "Built outbound TCP"),
    .init("<166>%ASA-6-302013: Built outbound TCP", pri: 166, app: "%ASA-6-302013", message: "Built outbound TCP"),
    .init("<189>Sep  1 10:01:05: something happened", pri: 189, time: "2026-09-01T10:01:05Z", message: "something happened"),
    .init("<14>app: Sep  1 10:01:05: a time of its own", pri: 14, app: "app", message: "Sep  1 10:01:05: a time of its own"),
  ]
}
