"use strict";

/** Values of the last ten minutes, by the time at which they came. */
class History {
  static span = 600;

  #times = [];
  #values = [];

  add(time, value) {
    this.#times.push(time);
    this.#values.push(value);
    let old = 0;
    // One older than the span stays, so that the line begins at the edge.
    while (old + 1 < this.#times.length && this.#times[old + 1] < time - History.span) old += 1;
    if (old > 0) {
      this.#times.splice(0, old);
      this.#values.splice(0, old);
    }
  }

  get largest() {
    return this.#values.reduce((largest, value) => (value === undefined ? largest : Math.max(largest, value)), 0);
  }

  get last() {
    return this.#values.at(-1);
  }

  /** The path of a line in a box of 600 by 60, now at its right edge; a gap in the values is a gap in the line. */
  line(now, largest) {
    let path = "";
    let isDrawing = false;
    let lastTime = 0;
    for (let index = 0; index < this.#times.length; index += 1) {
      const value = this.#values[index];
      if (value === undefined) {
        isDrawing = false;
        continue;
      }
      // Nothing was heard for a while: nobody knows what it was.
      if (this.#times[index] - lastTime > 10) isDrawing = false;
      lastTime = this.#times[index];
      const x = 600 - (now - this.#times[index]);
      const y = largest > 0 ? 57 - (54 * value) / largest : 57;
      path += `${isDrawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      isDrawing = true;
    }
    return path;
  }

  /** The area under a line, each stretch of it by itself. */
  static area(line) {
    return line
      .split("M")
      .filter((stretch) => stretch.includes("L"))
      .map((stretch) => {
        const points = stretch.split("L");
        const x = (point) => point.split(" ")[0];
        return `M${x(points[0])} 60L${points.join("L")}L${x(points.at(-1))} 60Z`;
      })
      .join("");
  }
}
