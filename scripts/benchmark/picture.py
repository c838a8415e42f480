"""The figures as a picture: for each scenario a bar for every proxy, user and system time apart."""

from html import escape

from .rounds import Outcome

_WIDTH = 760
_LABEL = 96
_VALUE = 190
_BAR = 20
_STEP = 28
# Readable on white and on the dark grey of code hosts, which show the picture as an image: it has to decide itself.
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 14px; font-weight: 600; }
  .faint { fill: #57606a; }
  .ours .user { fill: #8250df; } .ours .system { fill: #c297ff; }
  .user { fill: #6e7781; } .system { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .faint { fill: #9198a1; }
    .ours .user { fill: #ab7df8; } .ours .system { fill: #6e40c9; }
    .user { fill: #8b949e; } .system { fill: #484f58; }
  }
"""


def picture(outcomes: list[Outcome]) -> str:
    parts, top = [], 20
    for outcome in outcomes:
        part, height = _chart(outcome, top)
        parts.append(part)
        top += height
    caption = "processor time of the proxy for each request: user time (left) and system time (right); ratios are of one run"
    parts.append(f'<text class="faint" x="0" y="{top}">{escape(caption)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 12}" width="{_WIDTH}" '
            f'height="{top + 12}" role="img">\n<style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")


def _chart(outcome: Outcome, top: int) -> tuple[str, int]:
    subjects = [subject for subject in outcome.scenario.subjects if subject.label in outcome.rounds]
    most = max(outcome.spread(subject.label, "cpu").middle for subject in subjects)
    scale = (_WIDTH - _LABEL - _VALUE) / most
    lines = [f'<text class="title" x="0" y="{top}">{escape(outcome.scenario.title)}</text>',
             f'<text class="faint" x="{_WIDTH}" y="{top}" text-anchor="end">{escape(outcome.scenario.ratio_title)}</text>']
    for number, subject in enumerate(subjects):
        y = top + 12 + number * _STEP
        user, system, total = (outcome.spread(subject.label, key).middle for key in ["user", "system", "cpu"])
        # The medians of the parts need not add up to that of the whole.
        user, system = (part * total / (user + system) for part in [user, system])
        ratio = outcome.ratio(subject)
        lines += [
            f'<g{"" if subject.ratio else " class=" + chr(34) + "ours" + chr(34)}>',
            f'  <text x="{_LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(subject.label)}</text>',
            f'  <rect class="user" x="{_LABEL}" y="{y}" width="{user * scale:.1f}" height="{_BAR}"/>',
            f'  <rect class="system" x="{_LABEL + user * scale:.1f}" y="{y}" width="{system * scale:.1f}" height="{_BAR}"/>',
            f'  <text x="{_LABEL + total * scale + 8:.1f}" y="{y + 15}">{total:.1f} µs</text>']
        if ratio:
            lines.append(f'  <text x="{_WIDTH}" y="{y + 15}" text-anchor="end">{ratio.middle:.2f}</text>')
        lines.append("</g>")
    return "\n".join(lines), 12 + len(subjects) * _STEP + 26
