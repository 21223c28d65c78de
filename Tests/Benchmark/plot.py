"""Plots as SVG, readable on a light and on a dark page: axes with units, and a label at each line, so that nothing depends on telling colours apart."""

import math
from xml.sax.saxutils import escape

STYLE = """
  svg { color-scheme: light dark }
  .page { fill: #ffffff } .ink { fill: #1f2937 } .faint { fill: #4b5563 } .axis { stroke: #6b7280 } .grid { stroke: #e5e7eb }
  .shade { fill: #e5e7eb; opacity: .6 } .bound { stroke: #4b5563 }
  .a { stroke: #1d4ed8 } .b { stroke: #b45309 } .c { stroke: #0f766e } .d { stroke: #7e22ce }
  .fa { fill: #1d4ed8 } .fb { fill: #b45309 } .fc { fill: #0f766e } .fd { fill: #7e22ce } .fe { fill: #111827 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0f172a } .ink { fill: #e5e7eb } .faint { fill: #9ca3af } .axis { stroke: #9ca3af } .grid { stroke: #273449 }
    .shade { fill: #334155 } .bound { stroke: #9ca3af }
    .a { stroke: #7dabff } .b { stroke: #fbbf24 } .c { stroke: #34d3bd } .d { stroke: #d0a4ff }
    .fa { fill: #7dabff } .fb { fill: #fbbf24 } .fc { fill: #34d3bd } .fd { fill: #d0a4ff } .fe { fill: #0b1220 }
  }
"""
DASHES = {"a": "", "b": "8 4", "c": "2 4", "d": "10 3 2 3"}


def number(value):
    return f"{value:,.10g}"


class Picture:
    """A drawing of a given size; `say` is what it shows, in a sentence, for who can't see it."""

    def __init__(self, width, height, say):
        self.width, self.height, self.say = width, height, say
        self.parts = []

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, words, kind="ink", anchor="start", size=13, bold=False, turn=None):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        weight = ' font-weight="bold"' if bold else ""
        self.add(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight}{turned}>{escape(words)}</text>')

    def write(self, path):
        body = "\n  ".join(self.parts)
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" font-family="ui-sans-serif, Helvetica, Arial, sans-serif" role="img" '
            f'aria-label="{escape(self.say, {chr(34): "&quot;"})}">\n  <style>{STYLE}</style>\n  <rect class="page" width="{self.width}" height="{self.height}" rx="10"/>\n  {body}\n</svg>\n',
            encoding="utf-8")


class Axes:
    """A pair of axes in a picture: `x` and `y` are (least, most), the lines' values are theirs."""

    def __init__(self, picture, left, top, width, height, x, y, x_words, y_words, title="", x_log=False):
        self.picture, self.left, self.top, self.width, self.height = picture, left, top, width, height
        self.x, self.y, self.x_log = x, y, x_log
        picture.text(left, top - 12, title, bold=True)
        for value in self.ticks(x, width / 55, x_log):
            at = self.at_x(value)
            picture.add(f'<path class="grid" d="M{at:.1f} {top}V{top + height}"/>')
            picture.text(at, top + height + 18, number(value), "faint", "middle", 12)
        for value in self.ticks(y, height / 32):
            at = self.at_y(value)
            picture.add(f'<path class="grid" d="M{left} {at:.1f}H{left + width}"/>')
            picture.text(left - 8, at + 4, number(value), "faint", "end", 12)
        picture.add(f'<path class="axis" fill="none" d="M{left} {top}V{top + height}H{left + width}"/>')
        picture.text(left + width / 2, top + height + 37, x_words, "faint", "middle", 12)
        picture.text(left - 54, top + height / 2, y_words, "faint", "middle", 12, turn=-90)

    @staticmethod
    def ticks(bounds, most, log=False):
        least, top = bounds
        if log:
            return [10.0 ** power for power in range(math.ceil(math.log10(least) - 1e-9), math.floor(math.log10(top) + 1e-9) + 1)]
        rough = (top - least) / max(2, most)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        return [least + step * index for index in range(int((top - least) / step + 1e-9) + 1)]

    def at_x(self, value):
        least, most = self.x
        if self.x_log:
            value, least, most = math.log10(max(value, least)), math.log10(least), math.log10(most)
        return self.left + self.width * (min(max(value, least), most) - least) / (most - least)

    def at_y(self, value):
        least, most = self.y
        return self.top + self.height * (1 - (min(max(value, least), most) - least) / (most - least))

    def line(self, xs, ys, kind):
        points = [(self.at_x(x), self.at_y(y)) for x, y in zip(xs, ys) if y is not None]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.picture.add(f'<path class="{kind}" fill="none" stroke-width="2.2" stroke-linejoin="round" stroke-dasharray="{DASHES[kind]}" d="{path}"/>')

    def label(self, x, y, words, kind, dx=6, dy=4, anchor="start"):
        self.picture.text(self.at_x(x) + dx, self.at_y(y) + dy, words, f"f{kind}" if len(kind) == 1 else kind, anchor)

    def shade(self, least, most, words=""):
        left, right = self.at_x(least), self.at_x(most)
        self.picture.add(f'<rect class="shade" x="{left:.1f}" y="{self.top}" width="{right - left:.1f}" height="{self.height}"/>')
        if words:
            self.picture.text((left + right) / 2, self.top + 16, words, "faint", "middle", 12)

    def across(self, y, words):
        at = self.at_y(y)
        self.picture.add(f'<path class="bound" stroke-dasharray="6 3" d="M{self.left} {at:.1f}H{self.left + self.width}"/>')
        self.picture.text(self.left + self.width - 4, at - 5, words, "faint", "end", 12)

    def down(self, x, words, dy=16, anchor="start"):
        at = self.at_x(x)
        self.picture.add(f'<path class="bound" stroke-dasharray="6 3" d="M{at:.1f} {self.top}V{self.top + self.height}"/>')
        self.picture.text(at + (5 if anchor == "start" else -5), self.top + dy, words, "faint", anchor, 12)

    def bar(self, y, thickness, least, most, kind):
        left, right = self.at_x(least), self.at_x(most)
        if right > left:
            self.picture.add(f'<rect class="f{kind}" x="{left:.1f}" y="{self.at_y(y) - thickness / 2:.1f}" width="{right - left:.1f}" height="{thickness}" rx="2"/>')

    def dot(self, x, y, kind):
        self.picture.add(f'<circle class="f{kind}" cx="{self.at_x(x):.1f}" cy="{self.at_y(y):.1f}" r="4.5"/>')
