"use strict";

/** Numbers as people read them, in the same words as the command line's. */
const format = {
  /** `1,234,567`. */
  count(value) {
    return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  },

  /** `12.3 MiB`: powers of two, as limits in pipeline files are mostly given. */
  bytes(value) {
    let size = value;
    for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
      if (size < 1023.95 || unit === "TiB") return unit === "B" ? `${Math.round(value)} B` : `${size.toFixed(1)} ${unit}`;
      size /= 1024;
    }
    return `${value} B`;
  },

  /** `12.3 MB/s`: powers of ten, as rates are compared with networks and disks. */
  byteRate(value) {
    if (value === undefined) return "–";
    if (value < 999.5) return `${Math.round(value)} B/s`;
    if (value < 999950) return `${(value / 1e3).toFixed(1)} kB/s`;
    if (value < 999950000) return `${(value / 1e6).toFixed(1)} MB/s`;
    return `${(value / 1e9).toFixed(2)} GB/s`;
  },

  /** `84,112/s`. */
  rate(value) {
    if (value === undefined) return "";
    return value > 0 && value < 9.95 ? `${value.toFixed(1)}/s` : `${format.count(value)}/s`;
  },

  /** `45 s`, `3 h 12 min`: two units at most. */
  duration(seconds) {
    const two = (large, largeUnit, small, smallUnit) => (small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`);
    if (seconds < 1) return "0 s";
    if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
    if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
    return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
  },

  /** Time that has passed, in steps that don't flicker: `12 s`, `4 min`, `3 h`. */
  ago(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  },

  /** The number of an offset `E-N`. */
  offset(text) {
    return Number(text.slice(text.indexOf("-") + 1));
  },

  /** The time of day, in the browser's zone. */
  clock(date) {
    return date.toTimeString().slice(0, 8);
  },
};

/** Sets a text where it changed: nothing is drawn, and no screen reader told, for what stays. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes a `data-state`: good, warn, bad, or none. */
function setState(element, state) {
  if (state) {
    if (element.dataset.state !== state) element.dataset.state = state;
  } else if (element.dataset.state !== undefined) {
    delete element.dataset.state;
  }
}

/** Makes the children of `parent` those of `items`, by key and in order; what is there already stays. */
function reconcile(parent, items, keyOf, make, update) {
  const known = new Map();
  for (const child of parent.children) known.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    if (child) {
      known.delete(key);
    } else {
      child = make(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of known.values()) child.remove();
}

/** A copy of a template's one element. */
function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}
