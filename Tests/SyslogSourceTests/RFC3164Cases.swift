@testable import SyslogSource

extension MessageCase {
  /// RFC 3164 and the many forms that go by its name.
  static let rfc3164: [MessageCase] = [
    .init(
      "<34>Oct 11 22:14:15 gate su: 'su root' failed for wanda on /dev/pts/8", pri: 34, time: "2026-10-11T22:14:15Z", host: "gate",
      app: "su", message: "'su root' failed for wanda on /dev/pts/8"),
    .init(
      "<13>Feb  5 17:32:18 192.0.2.99 Use the BFG!", pri: 13, time: "2027-02-05T17:32:18Z", host: "192.0.2.99", message: "Use the BFG!"),
    .init(
      "<86>Aug 31 10:00:00 web1 sshd[4711]: Accepted publickey for wanda", pri: 86, time: "2026-08-31T10:00:00Z", host: "web1", app: "sshd",
      process: "4711", message: "Accepted publickey for wanda"),
    .init(
      "<22>Aug 31 10:00:00 mx postfix/smtpd[99]: connect from unknown[203.0.113.9]", pri: 22, time: "2026-08-31T10:00:00Z", host: "mx",
      app: "postfix/smtpd", process: "99", message: "connect from unknown[203.0.113.9]"),
    .init(
      "<78>Aug 31 10:00:00 h CRON[1]: (root) CMD (true)", pri: 78, time: "2026-08-31T10:00:00Z", host: "h", app: "CRON", process: "1",
      message: "(root) CMD (true)"),
    .init(
      "<30>Aug 31 10:00:00 h systemd[1]: Started Session 3 of user wanda.", pri: 30, time: "2026-08-31T10:00:00Z", host: "h",
      app: "systemd", process: "1", message: "Started Session 3 of user wanda."),
    .init(
      "<85>Aug 31 10:00:00 h (sd-pam)[812]: pam_unix(login): session opened", pri: 85, time: "2026-08-31T10:00:00Z", host: "h",
      app: "(sd-pam)", process: "812", message: "pam_unix(login): session opened"),
    .init(
      "<38>Aug 31 10:00:00 h sshd(pam_unix)[19939]: check pass", pri: 38, time: "2026-08-31T10:00:00Z", host: "h", app: "sshd(pam_unix)",
      process: "19939", message: "check pass"),
    .init(
      "<13>Aug 31 10:00:00 h app[worker.1]: job done", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", process: "worker.1",
      message: "job done"),
    .init("<13>Aug 31 10:00:00 h app[]: no process", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "no process"),
    .init(
      "<13>Aug 31 10:00:00 h app[12] no colon", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", process: "12",
      message: "no colon"),
    .init("<13>Aug 31 10:00:00 h app[12]", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", process: "12", message: ""),
    .init(
      "<13>Aug 31 10:00:00 h com.example.agent[1] (com.example.helper[2]): exited", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      app: "com.example.agent", process: "1", message: "(com.example.helper[2]): exited"),
    .init("<13>Aug 31 10:00:00 h app:no space", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "no space"),
    .init(
      "<13>Aug 31 10:00:00 h app[3]:no space", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", process: "3",
      message: "no space"),
    .init(
      "<13>Aug 31 10:00:00 h app:   three spaces", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "  three spaces"),
    .init("<13>Aug 31 10:00:00 h app:", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: ""),
    .init("<13>Aug 31 10:00:00 h app: ", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: ""),
    .init("<13>Aug 31 10:00:00 h app: \u{FEFF}marked", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "marked"),
    // No tag.
    .init(
      "<13>Aug 31 10:00:00 h restarted by the operator", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      message: "restarted by the operator"),
    .init(
      "<13>Aug 31 10:00:00 h http://192.0.2.1/x fetched", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      message: "http://192.0.2.1/x fetched"),
    .init(
      "<13>Aug 31 10:00:00 h C:\\log\\a.txt rotated", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "C:\\log\\a.txt rotated"),
    .init("<13>Aug 31 10:00:00 h 12:34:56 inner time", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "12:34:56 inner time"),
    .init(
      "<13>Aug 31 10:00:00 h std::bad_alloc thrown", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "std::bad_alloc thrown"),
    .init("<13>Aug 31 10:00:00 h {\"a\": \"b\"}", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "{\"a\": \"b\"}"),
    .init("<13>Aug 31 10:00:00 h array[0].x is nil", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "array[0].x is nil"),
    .init("<13>Aug 31 10:00:00 h open[ed: no end", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", message: "open[ed: no end"),
    .init(
      "<13>Aug 31 10:00:00 h CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      message: "CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1"),
    .init(
      "<13>Aug 31 10:00:00 h LEEF:1.0|Vendor|Product|1|id|a=b", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      message: "LEEF:1.0|Vendor|Product|1|id|a=b"),
    .init(
      "<13>Aug 31 10:00:00 WIN7 EventLog\t1\tSecurity\t4624", pri: 13, time: "2026-08-31T10:00:00Z", host: "WIN7",
      message: "EventLog\t1\tSecurity\t4624"),
    .init(
      "<14> Aug 31 10:00:00 192.0.2.8 00076 ports: port 7 is off-line", pri: 14, time: "2026-08-31T10:00:00Z", host: "192.0.2.8",
      message: "00076 ports: port 7 is off-line"),
    .init(
      "<13>Aug 31 10:00:00 bigip.example.net info tmm[77]: rule fired", pri: 13, time: "2026-08-31T10:00:00Z", host: "bigip.example.net",
      message: "info tmm[77]: rule fired"),
    .init(
      "<13>Aug 31 10:00:00 h " + String(repeating: "t", count: 130) + ": long word", pri: 13, time: "2026-08-31T10:00:00Z", host: "h",
      message: String(repeating: "t", count: 130) + ": long word"),
    // No host.
    .init("<13>Aug 31 10:00:00 app: local", pri: 13, time: "2026-08-31T10:00:00Z", app: "app", message: "local"),
    .init(
      "<134>Aug 31 10:00:00 filterlog[321]: 4,,,1000,em0", pri: 134, time: "2026-08-31T10:00:00Z", app: "filterlog", process: "321",
      message: "4,,,1000,em0"),
    .init(
      "<30>Aug 31 10:00:00 docker/0123abcd[55]: started", pri: 30, time: "2026-08-31T10:00:00Z", app: "docker/0123abcd", process: "55",
      message: "started"),
    .init("<13>Aug 31 10:00:00 app:directly", pri: 13, time: "2026-08-31T10:00:00Z", app: "app", message: "directly"),
    .init("<13>Aug 31 10:00:00 {\"json\":true} text", pri: 13, time: "2026-08-31T10:00:00Z", message: "{\"json\":true} text"),
    .init("<13>Aug 31 10:00:00 key=value other=thing", pri: 13, time: "2026-08-31T10:00:00Z", message: "key=value other=thing"),
    .init("<13>Aug 31 10:00:00 restarted", pri: 13, time: "2026-08-31T10:00:00Z", message: "restarted"),
    .init(
      "<13>Aug 31 10:00:00 last message repeated 3 times", pri: 13, time: "2026-08-31T10:00:00Z", message: "last message repeated 3 times"),
    .init("<13>Aug 31 10:00:00", pri: 13, time: "2026-08-31T10:00:00Z", message: ""),
    .init(
      "<13>Aug 31 10:00:00 Message forwarded from aix7: sshd[5]: bye", pri: 13, time: "2026-08-31T10:00:00Z", host: "aix7", app: "sshd",
      process: "5", message: "bye"),
    // Hosts that are addresses.
    .init("<13>Aug 31 10:00:00 2001:db8::17 app: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "2001:db8::17", app: "app", message: "m"),
    .init("<13>Aug 31 10:00:00 fe80:abcd::1 app: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "fe80:abcd::1", app: "app", message: "m"),
    .init("<13>Aug 31 10:00:00 fe80::1%eth0 app: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "fe80::1%eth0", app: "app", message: "m"),
    .init(
      "<13>Aug 31 10:00:00 ::ffff:192.0.2.1 app: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "::ffff:192.0.2.1", app: "app",
      message: "m"),
    .init(
      "<13>Aug 31 10:00:00 [2001:db8::1] app[2]: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "[2001:db8::1]", app: "app", process: "2",
      message: "m"),
    .init(
      "<13>Aug 31 10:00:00 a_b-c.example.net app: m", pri: 13, time: "2026-08-31T10:00:00Z", host: "a_b-c.example.net", app: "app",
      message: "m"),
    // Times.
    .init("<13>Sep 1 02:03:04 h a: one space", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "one space"),
    .init("<13>Sep 01 02:03:04 h a: zero", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "zero"),
    .init("<13>SEP  1 2:03:04 h a: capitals", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "capitals"),
    .init("<13>Sep  1 02:03:04.678 h a: fraction", pri: 13, time: "2026-09-01T02:03:04.678Z", host: "h", app: "a", message: "fraction"),
    .init("<13>Sep  1 02:03:04,678 h a: comma", pri: 13, time: "2026-09-01T02:03:04.678Z", host: "h", app: "a", message: "comma"),
    .init("<13>Sep  1 2024 02:03:04 h a: year", pri: 13, time: "2024-09-01T02:03:04Z", host: "h", app: "a", message: "year"),
    .init("<13>2024 Sep  1 02:03:04 h a: year first", pri: 13, time: "2024-09-01T02:03:04Z", host: "h", app: "a", message: "year first"),
    .init("<13>Sep  1 02:03:04 2024 h a: year last", pri: 13, time: "2024-09-01T02:03:04Z", host: "h", app: "a", message: "year last"),
    .init("<13>Tue Sep  1 02:03:04 2026 h a: weekday", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "weekday"),
    .init("<13>Sep  1 02:03:04 UTC h a: zone", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "zone"),
    .init("<13>Sep  1 02:03:04 +02:00 h a: offset", pri: 13, time: "2026-09-01T02:03:04+02:00", host: "h", app: "a", message: "offset"),
    .init("<13>Sep  1 02:03:04-0330 h a: offset", pri: 13, time: "2026-09-01T02:03:04-03:30", host: "h", app: "a", message: "offset"),
    .init("<13>Sep  1 02:03:04Z h a: zulu", pri: 13, time: "2026-09-01T02:03:04Z", host: "h", app: "a", message: "zulu"),
    .init(
      "<13>2026-08-31T10:00:00.123456+02:00 h sshd[7]: new time, old frame", pri: 13, time: "2026-08-31T10:00:00.123456+02:00", host: "h",
      app: "sshd", process: "7", message: "new time, old frame"),
    .init("<13>2026-08-31 10:00:00 h a: space for T", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "a", message: "space for T"),
    .init("<13>2026-08-31 10:00:00,250 h a: comma", pri: 13, time: "2026-08-31T10:00:00.250Z", host: "h", app: "a", message: "comma"),
    .init(
      "<13>2026-08-31T10:00:00-05 h a: hours only", pri: 13, time: "2026-08-31T10:00:00-05:00", host: "h", app: "a", message: "hours only"),
    .init(
      "<166>2026-08-31T10:00:00.5Z esx1 Hostd: info hostd[2099] done", pri: 166, time: "2026-08-31T10:00:00.5Z", host: "esx1", app: "Hostd",
      message: "info hostd[2099] done"),
    .init(
      "<134>1 1788170400.342705328 MX84 urls src=192.0.2.3:4 request: GET", pri: 134, time: "2026-08-31T10:00:00.342705Z", host: "MX84",
      message: "urls src=192.0.2.3:4 request: GET"),
    .init(
      "<134>1788170400 ap7 events type=association", pri: 134, time: "2026-08-31T10:00:00.000000Z", host: "ap7",
      message: "events type=association"),
    // No time: no host either.
    .init("<14>hello there", pri: 14, message: "hello there"),
    .init("<14>app: from a library\0", pri: 14, app: "app", message: "from a library"),
    .init("<14>app[9]: from a library", pri: 14, app: "app", process: "9", message: "from a library"),
    .init("<14>app: 2026-08-31 10:00:00,250 INFO start", pri: 14, app: "app", message: "2026-08-31 10:00:00,250 INFO start"),
    .init("<14>404: not found", pri: 14, app: "404", message: "not found"),
    .init("<14>May the force be with you", pri: 14, message: "May the force be with you"),
    .init("<14>1 file deleted", pri: 14, message: "1 file deleted"),
    .init("<14>  indented", pri: 14, message: "  indented"),
    .init("<30>system,info,account user admin logged in", pri: 30, message: "system,info,account user admin logged in"),
    .init(
      "<189>date=2026-08-31 time=10:00:00 devname=\"fw\" msg=\"x\"", pri: 189,
      message: "date=2026-08-31 time=10:00:00 devname=\"fw\" msg=\"x\""),
    .init("<14>", pri: 14, message: ""),
    .init("<14>\n", pri: 14, message: ""),
    // No PRI: a time is enough to go by.
    .init(
      "Aug 31 10:00:00 h app[1]: from a file", time: "2026-08-31T10:00:00Z", host: "h", app: "app", process: "1", message: "from a file"),
    .init("2026-08-31T10:00:00Z h app: from a file", time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "from a file"),
    .init("47 <13>Aug 31 10:00:00 h app: counted", pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "app", message: "counted"),
  ]
}
