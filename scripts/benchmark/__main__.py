"""The command line of scripts/bench, which has installed and built what is needed."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from . import instructions, machine
from .failure import Failure
from .peers import PEERS, Peer
from .picture import picture
from .programs import Programs
from .rounds import Outcome, run, say
from .scenarios import SCENARIOS, Scenario
from .site import Site, make_directory
from .table import table

_IN_THE_PICTURE = ["keepalive-64", "keepalive-64-tls", "keepalive-512"]


def main() -> int:
    arguments = _arguments()
    if arguments.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<20} {scenario.title}")
        return 0
    # Being terminated ends the run like Ctrl-C: what was started is ended first.
    for number in [signal.SIGTERM, signal.SIGINT]:
        signal.signal(number, signal.default_int_handler)
    programs = Programs(Path(os.environ["M2M_PROXY"]).absolute(), Path(os.environ["M2M_SANDBOX"]).absolute(),
                        Path(os.environ["BENCH_VENV"]), Path(os.environ["BENCH_OUT"]) / "programs")
    cores = machine.Cores.share_out()
    machine.raise_descriptor_limit()
    machine.stay_off_the_proxys_core(cores)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with Site(programs, cores, make_directory(), not arguments.no_access_log, arguments.seconds) as site:
        if arguments.instructions:
            return instructions.check(site, arguments.out, arguments.set)
        return _measure(site, arguments)


def _measure(site: Site, arguments: argparse.Namespace) -> int:
    facts = machine.description()
    if not machine.is_quiet():
        say("bench: this machine is busy with something else; what is measured now is worth little")
    there = _look_for_peers(arguments.peers, facts, site)
    facts["token"] = f"{len(site.token)} bytes"
    facts["access log"] = "on, in all of them" if site.access_log else "off, in all of them"
    facts["rounds"] = f"{arguments.rounds} of {arguments.seconds:g} s, interleaved; medians (least–most)"
    outcomes: list[Outcome] = []
    try:
        for scenario in arguments.only:
            subjects = [subject for subject in scenario.subjects if subject.peer in there]
            if subjects:
                outcomes.append(run(site, scenario, subjects, arguments.rounds))
    except KeyboardInterrupt:
        say("interrupted: what there is so far")
    finally:
        if outcomes:
            _write(arguments.out, facts, outcomes)
    return 1 if any(outcome.failures for outcome in outcomes) else 0


def _look_for_peers(wanted: list[str], facts: dict[str, str], site: Site) -> list[Peer]:
    there = []
    for name in wanted:
        try:
            facts[name] = PEERS[name].version(site.programs)
            there.append(PEERS[name])
        except Failure as failure:
            say(f"skipped: {name}: {failure}")
            facts[name] = f"skipped: {str(failure).splitlines()[0]}"
    return there


def _write(out: Path, facts: dict[str, str], outcomes: list[Outcome]) -> None:
    text = "\n".join([*(f"- {name}: {value}" for name, value in facts.items()), "", *map(table, outcomes)])
    (out / "table.md").write_text(text)
    (out / "values.json").write_text(json.dumps({"facts": facts, "scenarios": {
        outcome.scenario.name: {"rounds": outcome.rounds, "failures": outcome.failures} for outcome in outcomes}}, indent=2))
    drawn = [outcome for outcome in outcomes if outcome.scenario.name in _IN_THE_PICTURE and outcome.rounds]
    if drawn:
        (out / "picture.svg").write_text(picture(drawn))
    print(text)
    say(f"written to {out}: table.md, values.json" + (", picture.svg" if drawn else ""))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures m2m-proxy beside other proxies: docs/performance.md says how.")
    add = parser.add_argument
    add("--quick", action="store_true", help="some of the scenarios, one short round each: to see that all works")
    add("--only", action="append", metavar="SCENARIO", help="this one, or those whose names begin so; may be repeated")
    add("--peers", metavar="NAME,...", help=f"of {', '.join(PEERS)}; m2m-proxy is always there")
    add("--rounds", type=int, help="default: 3")
    add("--seconds", type=float, help="of load for each measurement; default: 5")
    add("--no-access-log", action="store_true", help="no access log, in any of them")
    add("--out", type=Path, default=Path(os.environ["BENCH_OUT"]),
        help="directory for table.md, picture.svg and values.json; default: .build/bench")
    add("--list", action="store_true", help="print the scenarios, and end")
    add("--instructions", action="store_true",
        help="count instructions for each request instead, and compare them with scripts/benchmark/instructions.json")
    add("--set", action="store_true", help="with --instructions: write what was counted to that file")
    arguments = parser.parse_args()
    arguments.out = arguments.out.absolute()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (2 if arguments.quick else 5)
    arguments.only = _chosen(parser, arguments.only, arguments.quick)
    arguments.peers = _names(parser, arguments.peers)
    return arguments


def _chosen(parser: argparse.ArgumentParser, names: list[str] | None, is_quick: bool) -> list[Scenario]:
    if not names:
        return [scenario for scenario in SCENARIOS if scenario.is_quick or not is_quick]
    exact = {scenario.name for scenario in SCENARIOS}
    for name in names:
        if not any(scenario.name.startswith(name) for scenario in SCENARIOS):
            parser.error(f"no scenario {name}; there are: {', '.join(sorted(exact))}")
    return [scenario for scenario in SCENARIOS
            if any(scenario.name == name or name not in exact and scenario.name.startswith(name) for name in names)]


def _names(parser: argparse.ArgumentParser, text: str | None) -> list[str]:
    names = ["m2m-proxy", *(text.split(",") if text else PEERS)]
    if unknown := [name for name in names if name not in PEERS]:
        parser.error(f"no peer {', '.join(unknown)}; there are: {', '.join(PEERS)}")
    return [name for name in PEERS if name in names]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
