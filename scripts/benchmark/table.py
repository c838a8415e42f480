"""The figures as Markdown."""

from .rounds import Outcome, Spread


def table(outcome: Outcome) -> str:
    """Medians; the figure and its ratio with the least and the most of the rounds in parentheses."""
    scenario = outcome.scenario
    header = ["", *(column.title for column in scenario.columns)]
    has_ratios = any(subject.ratio for subject in scenario.subjects)
    if has_ratios:
        header.append(f"**{scenario.ratio_title}**")
    lines = [_row(header), _row(["---", *["---:"] * (len(header) - 1)])]
    for subject in scenario.subjects:
        if subject.label in outcome.rounds:
            cells = [_cell(outcome.spread(subject.label, column.key), column.digits, column.key == scenario.figure)
                     for column in scenario.columns]
            lines.append(_row([subject.label, *cells, *([_cell(outcome.ratio(subject), 2, True)] if has_ratios else [])]))
    notes = [f"- {label}: failed: {' / '.join(text.splitlines()[:2])}" for label, text in outcome.failures.items()]
    return "\n".join([f"### {scenario.title}", "", *lines, "", *notes, *([""] if notes else [])])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(spread: Spread | None, digits: int, with_spread: bool) -> str:
    if spread is None:
        return ""
    text = f"{spread.middle:,.{digits}f}"
    if with_spread and spread.least != spread.most:
        text += f" ({spread.least:,.{digits}f}–{spread.most:,.{digits}f})"
    return text
