"use strict";

/** How the queues are, one card each, and what needs attention. */
const queues = {
  /** By queue and consumer: what the plots show. */
  histories: new Map(),
  /** What a plot's height is at least, so that what is next to nothing looks like it: bytes a second, bytes of lag. */
  leastRate: 1e4,
  leastLag: 64 << 10,
  /** What is further away than a day needs no attention yet. */
  attentionSeconds: 86400,

  /** Shows a status that came at `time`, in seconds. */
  show(status, time) {
    const names = new Set(status.queues.map((queue) => queue.name));
    // Dead letters are told with the queue whose they are, unless that can't be seen.
    const shown = status.queues.filter((queue) => !names.has(queue.dead_letters_of));
    const attention = [];
    const used = new Set();
    reconcile(
      document.getElementById("queues"), shown, (queue) => queue.name, queues.make,
      (card, queue) => queues.update(card, queue, time, attention, used));
    for (const key of queues.histories.keys()) if (!used.has(key)) queues.histories.delete(key);
    queues.showAttention(attention);
    document.getElementById("empty").hidden = shown.length > 0;
    setText(document.getElementById("total-queues"), format.count(shown.length));
    const rates = shown.map((queue) => queue.bytes_per_second).filter((rate) => rate !== undefined);
    setText(document.getElementById("total-in"), rates.length > 0 ? format.byteRate(rates.reduce((sum, rate) => sum + rate, 0)) : "–");
    setText(document.getElementById("total-uptime"), format.ago(Math.max(0, (Date.parse(status.time) - Date.parse(status.started)) / 1000)));
    setText(document.getElementById("version"), status.version);
  },

  history(key, used) {
    used.add(key);
    let history = queues.histories.get(key);
    if (!history) {
      history = new History();
      queues.histories.set(key, history);
    }
    return history;
  },

  make(queue) {
    const card = fromTemplate("queue-template");
    const title = card.querySelector(".name");
    title.id = `queue-${queue.name}`;
    card.setAttribute("aria-labelledby", title.id);
    setText(title, queue.name);
    const button = card.querySelector(".tail-button");
    button.setAttribute("aria-label", `Tail of ${queue.name}`);
    button.addEventListener("click", () => tail.open(queue.name));
    const letters = card.querySelector(".letters-button");
    letters.setAttribute("aria-label", `Tail of the dead letters of ${queue.name}`);
    letters.addEventListener("click", () => tail.open(`${queue.name}.dead-letters`));
    setText(card.querySelector(".consumers-part caption"), `Consumers of ${queue.name}`);
    setText(card.querySelector(".sources-part caption"), `Sources of ${queue.name}`);
    return card;
  },

  update(card, queue, time, attention, used) {
    const part = (selector) => card.querySelector(selector);
    const text = (selector, value) => setText(part(selector), value);
    const tell = (state, what) => attention.push({ state, queue: queue.name, text: what });

    // The queue itself.
    let [state, word] = ["good", "has room"];
    if (queue.is_full) {
      [state, word] = ["bad", `full${queue.full_because_of ? ` because of ${queue.full_because_of}` : ""}`];
      tell("bad", `is ${word}; sources wait or drop`);
    } else if (queue.seconds_until_full !== undefined) {
      const because = queue.fills_because_of ? ` because of ${queue.fills_because_of}` : "";
      [state, word] = ["warn", `fills${because}`];
      if (queue.seconds_until_full < queues.attentionSeconds) tell("warn", `is full in ${format.duration(queue.seconds_until_full)}${because}`);
    }
    setState(part(".queue-head .state"), state);
    text(".queue-head .state-text", word);
    text(".offsets", `offsets ${format.count(format.offset(queue.start_offset))} to ${format.count(format.offset(queue.durable_end))}`);

    // Its figures.
    const outRates = queue.consumers.map((consumer) => consumer.bytes_per_second).filter((rate) => rate !== undefined);
    const outBytes = outRates.length > 0 ? outRates.reduce((sum, rate) => sum + rate, 0) : undefined;
    const outRecords = queue.consumers.reduce((sum, consumer) => sum + (consumer.records_per_second ?? 0), 0);
    text(".in-bytes", format.byteRate(queue.bytes_per_second));
    text(".in-records", format.rate(queue.records_per_second));
    text(".out-title", queue.consumers.length > 1 ? `out, to all ${queue.consumers.length}` : "out");
    text(".out-bytes", format.byteRate(outBytes));
    text(".out-records", outBytes === undefined ? "" : format.rate(outRecords));
    // A server without a bound says one that no disk has.
    const isBounded = queue.max_size < 2 ** 60;
    const share = isBounded ? queue.stored_bytes / queue.max_size : 0;
    text(".stored", format.bytes(queue.stored_bytes));
    text(".max", isBounded ? `of ${format.bytes(queue.max_size)}, ${Math.round(share * 100)} %` : "no bound");
    part(".meter").hidden = !isBounded;
    part(".meter span").style.width = `${Math.min(100, share * 100)}%`;
    setState(part(".meter"), queue.is_full ? "bad" : queue.seconds_until_full !== undefined ? "warn" : undefined);
    text(".full", queue.is_full ? "now" : queue.seconds_until_full === undefined ? "–" : format.duration(queue.seconds_until_full));
    setState(part(".full"), queue.is_full ? "bad" : queue.seconds_until_full === undefined ? undefined : "warn");
    text(".full-because", (queue.is_full ? queue.full_because_of : queue.fills_because_of) ?? (queue.is_full ? "free disk space" : "not filling"));
    text(".records", format.count(queue.records));
    text(".bytes", `${format.bytes(queue.bytes)} of lines`);
    text(".lost", format.count(queue.lost_records));
    setState(part(".lost"), queue.lost_records > 0 ? "warn" : undefined);
    const losses = queue.losses.map((loss) => `${loss.reason} ${format.count(loss.records)}`).join(", ");
    text(".losses", losses ? `since the start: ${losses}` : queue.lost_records > 0 ? "none since the start" : "nothing");
    text(".letters", format.count(queue.dead_letters));
    setState(part(".letters"), queue.dead_letters > 0 ? "warn" : undefined);
    part(".letters-part").hidden = queue.dead_letters === 0;
    if (queue.dead_letters > 0) tell("warn", `${format.count(queue.dead_letters)} dead letters wait for somebody`);
    for (const loss of queue.losses) tell("warn", `lost ${format.count(loss.records)} records since the start (${loss.reason})`);

    // Rates over time.
    const [ins, outs] = [queues.history(`${queue.name} in`, used), queues.history(`${queue.name} out`, used)];
    ins.add(time, queue.bytes_per_second);
    outs.add(time, outBytes);
    const largest = Math.max(ins.largest, outs.largest);
    const scale = Math.max(largest, queues.leastRate);
    const plot = part(".rates");
    const line = ins.line(time, scale);
    plot.querySelector(".line.in").setAttribute("d", line);
    plot.querySelector(".line.out").setAttribute("d", outs.line(time, scale));
    plot.querySelector(".area").setAttribute("d", History.area(line));
    setText(plot.querySelector(".scale"), format.byteRate(scale));
    plot.querySelector("svg").setAttribute(
      "aria-label", `Rates of the last 10 minutes: now ${format.byteRate(queue.bytes_per_second)} in and ${format.byteRate(outBytes)} out, at most ${format.byteRate(largest)}`);

    // Its consumers, with their sinks, and what they say of failures on a row of its own.
    const sinks = new Map((queue.sinks ?? []).map((sink) => [sink.name, sink]));
    const rows = [];
    for (const consumer of queue.consumers) {
      const sink = sinks.get(consumer.name);
      rows.push({ key: consumer.name, consumer, sink });
      const note = queues.noteOf(sink, consumer);
      if (note) rows.push({ key: `${consumer.name} note`, note });
    }
    reconcile(part(".consumers"), rows, (row) => row.key, (row) => (row.note ? queues.makeNote(8) : fromTemplate("consumer-template")), (element, row) => {
      if (row.note) queues.updateNote(element, row.note);
      else queues.updateConsumer(element, row.consumer, row.sink, queue, time, tell, used);
    });
    part(".consumers-part .scroll").hidden = rows.length === 0;
    part(".consumers-part .none").hidden = rows.length > 0;

    // Its sources.
    const sources = queue.sources ?? [];
    const sourceRows = [];
    for (const source of sources) {
      sourceRows.push({ key: source.name, source });
      if (source.last_error) {
        const fails = source.activity === "backing_off" || source.activity === "failed";
        sourceRows.push({ key: `${source.name} note`, note: { state: fails ? "bad" : undefined, text: `${fails ? "" : "last error, since recovered: "}${source.last_error}` } });
      }
    }
    reconcile(part(".sources"), sourceRows, (row) => row.key, (row) => (row.note ? queues.makeNote(5) : fromTemplate("source-template")), (element, row) => {
      if (row.note) queues.updateNote(element, row.note);
      else queues.updateSource(element, row.source, queue, tell);
    });
    part(".sources-part .scroll").hidden = sources.length === 0;
    part(".sources-part .none").hidden = sources.length > 0;
    reconcile(
      part(".files"), sources.filter((source) => source.files), (source) => source.name, (source) => queues.makeFiles(source, queue), queues.updateFiles);

    queues.updateSegments(part(".segments-part"), queue);
  },

  /** What a consumer's state is: a kind of mark, and words. */
  stateOf(sink, consumer) {
    if (consumer.failure) return ["bad", "can't be read"];
    if (!sink) {
      if (consumer.kind === "sink") return ["warn", "no such sink runs"];
      if (consumer.leases?.on_loan > 0) return ["good", `${format.count(consumer.leases.on_loan)} on loan`];
      return [undefined, consumer.silent_seconds >= 1 ? `silent for ${format.ago(consumer.silent_seconds)}` : "pulls"];
    }
    switch (sink.activity) {
      case "delivering": return ["good", "delivering"];
      case "idle": return ["good", consumer.lag_records > 0 ? "waits for its batch" : "caught up"];
      case "pacing": return ["good", "at its own pace"];
      case "outside_window": return [undefined, `window opens in ${format.duration(sink.seconds_until_open ?? 0)}`];
      case "backing_off": return ["bad", `fails, again in ${format.duration(sink.seconds_until_retry ?? 0)}`];
      case "setting_aside": return ["bad", "waits for room among dead letters"];
      case "refused": return ["bad", "stands still"];
      case "ended": return [undefined, "ended"];
      default: return [undefined, "starting"];
    }
  },

  noteOf(sink, consumer) {
    if (consumer.failure) return { state: "bad", text: consumer.failure };
    if (!sink?.last_error) return undefined;
    const fails = ["backing_off", "setting_aside", "refused"].includes(sink.activity);
    return { state: fails ? "bad" : undefined, text: `${fails ? "" : "last error, since recovered: "}${sink.last_error}` };
  },

  makeNote(columns) {
    const row = document.createElement("tr");
    row.className = "note";
    row.setAttribute("role", "row");
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    cell.colSpan = columns;
    row.append(cell);
    return row;
  },

  updateNote(row, note) {
    setState(row, note.state);
    setText(row.firstElementChild, note.text);
  },

  updateConsumer(row, consumer, sink, queue, time, tell, used) {
    const text = (selector, value) => setText(row.querySelector(selector), value);
    text(".name", consumer.name);
    text(".kind", sink ? `${sink.type} sink` : consumer.mode === "lease" ? "leases" : consumer.kind);
    const [state, word] = queues.stateOf(sink, consumer);
    setState(row.querySelector(".state"), state);
    text(".state-text", word);
    if (state === "bad") tell("bad", `sink ${consumer.name} ${word}`);
    text(".out-bytes", format.byteRate(consumer.bytes_per_second));
    text(".out-records", format.rate(consumer.records_per_second));
    text(".lag-records", format.count(consumer.lag_records));
    text(".lag-bytes", consumer.lag_records > 0 ? format.bytes(consumer.lag_bytes) : "");
    const loses = consumer.seconds_until_loss;
    text(".loss", loses === undefined ? "–" : loses === 0 ? "now" : format.duration(loses));
    // A long key may break behind its underscores, and nowhere else.
    text(".loss-cause", loses === undefined ? "" : `by ${(consumer.loss_cause ?? "retention").replaceAll("_", "_\u200B")}`);
    setState(row.querySelector(".loss"), loses === undefined ? undefined : loses < 600 ? "bad" : "warn");
    if (loses < queues.attentionSeconds) {
      tell(loses < 600 ? "bad" : "warn", `${consumer.name} ${loses === 0 ? "loses records now" : `begins to lose records in ${format.duration(loses)}`}, by ${consumer.loss_cause ?? "retention"}`);
    }
    text(".hold", consumer.hold);
    text(".lost", format.count(consumer.lost_records));
    setState(row.querySelector(".lost"), consumer.lost_records > 0 ? "warn" : undefined);

    const history = queues.history(`${queue.name} lag ${consumer.name}`, used);
    history.add(time, consumer.lag_bytes);
    const largest = history.largest;
    const plot = row.querySelector(".plot");
    const line = history.line(time, Math.max(largest, queues.leastLag));
    plot.querySelector(".line").setAttribute("d", line);
    plot.querySelector(".area").setAttribute("d", History.area(line));
    setText(plot.querySelector(".scale"), largest > 0 ? `max ${format.bytes(largest).replace(" ", "\u00a0")}` : "no lag");
    plot.querySelector("svg").setAttribute(
      "aria-label", `Lag of ${consumer.name} in the last 10 minutes: now ${format.bytes(consumer.lag_bytes)}, at most ${format.bytes(largest)}`);
  },

  updateSource(row, source, queue, tell) {
    const text = (selector, value) => setText(row.querySelector(selector), value);
    text(".name", source.name);
    text(".kind", source.type);
    let [state, word] = [undefined, source.activity];
    if (source.activity === "running") [state, word] = queue.is_full ? ["warn", "queue full: waits or drops"] : ["good", "running"];
    if (source.activity === "backing_off") [state, word] = ["bad", `failed, again in ${format.duration(source.seconds_until_retry ?? 0)}`];
    if (source.activity === "failed") [state, word] = ["bad", "can't work"];
    setState(row.querySelector(".state"), state);
    text(".state-text", word);
    if (state === "bad") tell("bad", `source ${source.name} ${word}`);
    text(".in-bytes", format.byteRate(source.bytes_per_second));
    text(".in-records", format.rate(source.records_per_second));
    text(".records", format.count(source.records));
    text(".lost", format.count(source.lost_records));
    setState(row.querySelector(".lost"), source.lost_records > 0 ? "warn" : undefined);
  },

  makeFiles(source, queue) {
    const details = fromTemplate("files-template");
    setText(details.querySelector("caption"), `Files of ${source.name}`);
    details.querySelector(".scroll").setAttribute("aria-label", `Files of ${source.name} of ${queue.name}`);
    details.addEventListener("toggle", () => queues.updateFiles(details, queues.listed.get(details)));
    return details;
  },

  /** The sources whose files a list shows. */
  listed: new WeakMap(),

  updateFiles(details, source) {
    queues.listed.set(details, source);
    const { count, newest } = source.files;
    const unread = newest.reduce((sum, file) => sum + Math.max(0, (file.size ?? 0) - file.position), 0);
    const listed = newest.length < count ? `, the ${newest.length} with the newest bytes` : "";
    setText(
      details.querySelector(".files-title"),
      `${source.name}: ${format.count(count)} ${count === 1 ? "file" : "files"}${listed}, ${unread > 0 ? `${format.bytes(unread)} unread` : "all read"}`);
    if (!details.open) return;
    reconcile(details.querySelector("tbody"), newest, (file) => file.path, () => fromTemplate("file-template"), (row, file) => {
      const text = (selector, value) => setText(row.querySelector(selector), value);
      text(".path", file.path + (file.is_gone ? " (gone)" : ""));
      text(".position", format.count(file.position));
      text(".size", file.size === undefined ? "compressed" : format.count(file.size));
      text(".unread", file.size === undefined ? "–" : format.bytes(Math.max(0, file.size - file.position)));
      text(".quiet", format.ago(file.quiet_seconds));
    });
  },

  /** The newest segments along their offsets, and where the consumers stand in them. */
  updateSegments(part, queue) {
    const segments = queue.newest_segments;
    const strip = part.querySelector(".strip");
    const listed = segments.length < queue.segments ? `, the newest ${segments.length}` : "";
    setText(part.querySelector(".segments-text"), `${format.count(queue.segments)} on disk${listed}, ${format.bytes(queue.stored_bytes)}`);
    strip.hidden = segments.length === 0;
    if (segments.length === 0) return;
    const first = segments[0].first_offset;
    const end = Math.max(segments.at(-1).next_offset, first + 1);
    reconcile(part.querySelector(".bars"), segments, (segment) => String(segment.first_offset), () => document.createElement("span"), (bar, segment) => {
      bar.style.flexGrow = String(Math.max(1, (1000 * (segment.next_offset - segment.first_offset)) / (end - first)));
      bar.className = segment.is_sealed ? "" : "active";
      bar.title = `${segment.name}: ${format.count(segment.next_offset - segment.first_offset)} records, ${format.bytes(segment.stored_bytes)}${segment.is_sealed ? "" : ", active"}`;
    });
    // Names that would stand upon each other stand side by side.
    const marks = [];
    for (const consumer of [...queue.consumers].sort((one, other) => format.offset(one.cursor) - format.offset(other.cursor))) {
      const place = Math.min(100, Math.max(0, (100 * (format.offset(consumer.cursor) - first)) / (end - first)));
      const last = marks.at(-1);
      if (last && place - last.place < 14) last.names.push(consumer.name);
      else marks.push({ place, names: [consumer.name] });
    }
    reconcile(part.querySelector(".cursors"), marks.flatMap((mark, index) => [{ ...mark, key: `i${index}` }, { ...mark, key: `b${index}` }]), (mark) => mark.key, (mark) => document.createElement(mark.key[0]), (element, mark) => {
      const isRight = mark.place > 50;
      element.style.left = mark.key[0] === "i" || !isRight ? `${mark.place}%` : "auto";
      element.style.right = mark.key[0] === "b" && isRight ? `${100 - mark.place}%` : "auto";
      if (mark.key[0] === "b") setText(element, mark.names.join(", "));
    });
    strip.setAttribute(
      "aria-label", `${queue.segments} segments; ${queue.consumers.map((consumer) => `${consumer.name} stands ${format.count(consumer.lag_records)} records before the end`).join(", ") || "no consumer"}`);
  },

  showAttention(items) {
    items.sort((one, other) => (one.state === other.state ? 0 : one.state === "bad" ? -1 : 1));
    const section = document.getElementById("attention");
    section.hidden = items.length === 0;
    const most = 12;
    const shown = items.slice(0, most).map((item, index) => ({ ...item, index }));
    if (items.length > most) shown.push({ state: "warn", text: `and ${items.length - most} more`, index: most });
    reconcile(document.getElementById("attention-list"), shown, (item) => String(item.index), () => {
      const line = document.createElement("li");
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.setAttribute("aria-hidden", "true");
      const words = document.createElement("span");
      words.append(document.createElement("b"), document.createTextNode(""));
      line.append(mark, words);
      return line;
    }, (line, item) => {
      setState(line, item.state);
      const [name, words] = line.lastElementChild.childNodes;
      setText(name, item.queue);
      setText(words, item.queue ? ` ${item.text}` : item.text);
    });
    // Only the count is announced: times change every second.
    setText(document.getElementById("attention-count"), items.length === 0 ? "Nothing needs attention" : `${items.length} ${items.length === 1 ? "thing needs" : "things need"} attention`);
    queues.attentionCount = items.length;
  },

  attentionCount: 0,
};
