@testable import SyslogSource

extension MessageCase {
  /// RFC 5424, and what is sent in its name.
  static let rfc5424: [MessageCase] = [
    // As the RFC has it.
    .init(
      "<34>1 2026-08-30T22:14:15.003Z gate.example.net su - ID47 - 'su root' failed for wanda on /dev/pts/8", pri: 34,
      time: "2026-08-30T22:14:15.003Z",
      host: "gate.example.net", app: "su", id: "ID47", message: "'su root' failed for wanda on /dev/pts/8"),
    .init(
      "<165>1 2026-08-24T05:14:15.000003-07:00 192.0.2.1 weather 8710 - - rain in 5 minutes", pri: 165,
      time: "2026-08-24T05:14:15.000003-07:00",
      host: "192.0.2.1", app: "weather", process: "8710", message: "rain in 5 minutes"),
    .init(
      "<165>1 2026-08-24T05:14:15Z db7 pump - ID2 [flow@32473 rate=\"3\" unit=\"l/s\" valve=\"north\"] level reached", pri: 165,
      time: "2026-08-24T05:14:15Z", host: "db7", app: "pump", id: "ID2",
      structured: #"{"flow@32473":{"rate":"3","unit":"l/s","valve":"north"}}"#,
      message: "level reached"),
    .init(
      "<165>1 2026-08-24T05:14:15Z db7 pump - ID2 [flow@32473 rate=\"3\"][origin@32473 class=\"high\"]", pri: 165,
      time: "2026-08-24T05:14:15Z", host: "db7",
      app: "pump", id: "ID2", structured: #"{"flow@32473":{"rate":"3"},"origin@32473":{"class":"high"}}"#),
    .init("<0>1 - - - - - -", pri: 0),
    .init("<191>1 - - - - - - ", pri: 191, message: ""),
    .init("<13>1 - - - - - - hello", pri: 13, message: "hello"),
    .init("<13>1 2026-08-30T22:14:15Z - - - - - hello", pri: 13, time: "2026-08-30T22:14:15Z", message: "hello"),
    .init("<13>1 2026-08-30T22:14:15Z h - - - -  two spaces", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", message: " two spaces"),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a p i [x]", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", process: "p", id: "i",
      structured: #"{"x":{}}"#),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a p i [x] ", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", process: "p", id: "i",
      structured: #"{"x":{}}"#, message: ""),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a p i [x] [y] z", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", process: "p", id: "i",
      structured: #"{"x":{}}"#, message: "[y] z"),
    .init("<13>1 2028-02-29T00:00:00Z h a - - - leap day", pri: 13, time: "2028-02-29T00:00:00Z", host: "h", app: "a", message: "leap day"),
    .init(
      "<13>1 2000-02-29T23:59:59+14:00 h a - - - leap century", pri: 13, time: "2000-02-29T23:59:59+14:00", host: "h", app: "a",
      message: "leap century"),
    .init("<13>1 1969-12-31T23:59:59Z h a - - - before", pri: 13, time: "1969-12-31T23:59:59Z", host: "h", app: "a", message: "before"),
    // Hosts.
    .init(
      "<13>1 2026-08-30T22:14:15Z 2001:db8::17 a - - - m", pri: 13, time: "2026-08-30T22:14:15Z", host: "2001:db8::17", app: "a",
      message: "m"),
    .init(
      "<13>1 2026-08-30T22:14:15Z fe80::1%eth0 a - - - m", pri: 13, time: "2026-08-30T22:14:15Z", host: "fe80::1%eth0", app: "a",
      message: "m"),
    .init(
      "<13>1 2026-08-30T22:14:15Z büro.example a - - - m", pri: 13, time: "2026-08-30T22:14:15Z", host: "büro.example", app: "a",
      message: "m"),
    // Byte-order mark and text.
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - - \u{FEFF}Grüße, 世界 😀", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      message: "Grüße, 世界 😀"),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - [x] \u{FEFF}m", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      structured: #"{"x":{}}"#, message: "m"),
    .init("<13>1 2026-08-30T22:14:15Z h a - - - \u{FEFF}", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: ""),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - - tab\there \"quoted\" back\\slash \u{1B}[31m\u{7F}\u{2028}", pri: 13,
      time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "tab\there \"quoted\" back\\slash \u{1B}[31m\u{7F}\u{2028}"),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - - {\"level\":\"info\",\"n\":1}", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      message: "{\"level\":\"info\",\"n\":1}"),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - - one\ntwo\r\nthree\n", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      message: "one\ntwo\r\nthree"),
    .init("<13>1 2026-08-30T22:14:15Z h a - - - crlf\r\n", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "crlf"),
    .init("<13>1 2026-08-30T22:14:15Z h a - - - end\0", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "end"),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a - - - in\0side\0\n\0", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "in\0side"
    ),
    .init("<13>1 2026-08-30T22:14:15Z h a - - -\n", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a"),
    // Structured data: escapes, repeated parameters, looseness.
    .init(#"<13>1 - h a - - [x y="a\"b\\c\]d"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"a\"b\\c]d"}}"#, message: "m"),
    .init(
      #"<13>1 - h a - - [x y="C:\temp\new"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"C:\\temp\\new"}}"#, message: "m"),
    .init(#"<13>1 - h a - - [x y="\\"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"\\"}}"#, message: "m"),
    .init(#"<13>1 - h a - - [x y="\é"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"\\é"}}"#, message: "m"),
    .init(#"<13>1 - h a - - [x y="1]2"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"1]2"}}"#, message: "m"),
    .init(#"<13>1 - h a - - [x y="" z=" "] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"","z":" "}}"#, message: "m"),
    .init(#"<13>1 - h a - - [x  y="1"   z="2" ] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"1","z":"2"}}"#, message: "m"),
    .init(
      #"<13>1 - h a - - [origin ip="192.0.2.1" sw="x" ip="192.0.2.129"] m"#, pri: 13, host: "h", app: "a",
      structured: #"{"origin":{"ip":["192.0.2.1","192.0.2.129"],"sw":"x"}}"#, message: "m"),
    .init(
      #"<13>1 - h a - - [a x="1"][b x="2"][c x="3" x="4" x="5"]"#, pri: 13, host: "h", app: "a",
      structured: #"{"a":{"x":"1"},"b":{"x":"2"},"c":{"x":["3","4","5"]}}"#),
    .init(
      "<13>1 - h a - - [x y=\"line\none\ttab\"] m", pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"line\none\ttab"}}"#, message: "m"
    ),
    .init(#"<13>1 - h a - - [x y="größe"] m"#, pri: 13, host: "h", app: "a", structured: #"{"x":{"y":"größe"}}"#, message: "m"),
    .init(
      #"<13>1 2026-08-30T22:14:15.123456+02:00 ws1 wanda - - [timeQuality tzKnown="1" isSynced="1" syncAccuracy="512000"] hello from a shell"#,
      pri: 13,
      time: "2026-08-30T22:14:15.123456+02:00", host: "ws1", app: "wanda",
      structured: #"{"timeQuality":{"tzKnown":"1","isSynced":"1","syncAccuracy":"512000"}}"#, message: "hello from a shell"),
    .init(
      #"<14>1 2026-08-30T22:14:15.5Z fw1 RT_FLOW - RT_FLOW_SESSION_CREATE [junos@2636.1.1.1.2.40 source-address="198.51.100.3" source-port="40112" policy-name="a[b\]c"] session created"#,
      pri: 14, time: "2026-08-30T22:14:15.5Z", host: "fw1", app: "RT_FLOW", id: "RT_FLOW_SESSION_CREATE",
      structured: #"{"junos@2636.1.1.1.2.40":{"source-address":"198.51.100.3","source-port":"40112","policy-name":"a[b]c"}}"#,
      message: "session created"),
    // Deviations that lose nothing.
    .init("<13>1 2026-08-30T22:14:15  a - - - empty host", pri: 13, time: "2026-08-30T22:14:15Z", app: "a", message: "empty host"),
    .init(
      "<13>1 2026-08-30t22:14:15z h a - - - lower case", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "lower case"),
    .init(
      "<13>1 2026-08-30T22:14:15+0200 h a - - - no colon", pri: 13, time: "2026-08-30T22:14:15+02:00", host: "h", app: "a",
      message: "no colon"),
    .init(
      "<13>1 2026-08-30T22:14:15.123456789Z h a - - - nanoseconds", pri: 13, time: "2026-08-30T22:14:15.123456789Z", host: "h", app: "a",
      message: "nanoseconds"),
    .init(
      "<13>1 2026-08-30T22:14:15.123456789123Z h a - - - more", pri: 13, time: "2026-08-30T22:14:15.123456789Z", host: "h", app: "a",
      message: "more"),
    .init(
      "<13>1 2026-08-30T22:14:15-00:00 h a - - - unknown zone", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      message: "unknown zone"),
    .init(
      "59 <13>1 2026-08-30T22:14:15Z h a - - - counted, as for a stream", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", app: "a",
      message: "counted, as for a stream"),
    .init("1 2026-08-30T22:14:15Z h a - - - no PRI", time: "2026-08-30T22:14:15Z", host: "h", app: "a", message: "no PRI"),
    .init("<013>1 - h a - - - leading zero", pri: 13, host: "h", app: "a", message: "leading zero"),
  ]
}
