#!/usr/bin/env python3
"""Shows what a suite printed on several hosts: report.py SUITE LOGS HOST... [--whole] [--brief] [--bless]

LOGS has SUITE.HOST for each host, as libtest prints it. A cell is the number of modes in which a case is
exact; behind it, those in which it fails (!), or does as tests/exact/known.txt says (the modes).
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"host": "this host", "amd": "kvm-amd", "intel": "kvm-intel"}
LINE = re.compile(r"^test (?:\[(\w+)\] *)?(.+?) +\.\.\. (ok|FAILED|ignored)?\s*$")


def read(path):
    """Results by name, and the case that never ended."""
    results, lost = {}, None
    for line in path.read_text(errors="replace").splitlines():
        match = LINE.match(line.rstrip())
        if match and match[3]:
            results[match[2]] = (match[1] or "", match[3])
        elif match or (line.startswith("test ") and "..." in line):
            lost = line
    return results, lost


def split(name):
    """A name as its case and its mode."""
    mode, slash, case = name.partition("/")
    return (case, mode) if slash else (name, "")


def topics():
    """The topic of each case of the exactness suite: the head of its file."""
    found = {}
    for path in sorted((ROOT / "tests/exact/cases").glob("*.rs")):
        text = path.read_text()
        head = text.splitlines()[0].removeprefix("//! ").split(":")[0].rstrip(".")
        for case in re.findall(r'case\(\s*"([^"]+)"', text):
            found[case] = head
    return found


def skipped(suite, host):
    """What a rig is not asked to run of a suite, and why."""
    found = {}
    for line in (ROOT / "scripts/rigs/skipped.txt").read_text().splitlines():
        fields = [field.strip() for field in line.split("|")]
        if not line.startswith("#") and len(fields) == 4:
            rigs, name, test, reason = fields
            if NAMES[host] in rigs.split(",") and name == suite:
                found[test] = reason
    return found


def cell(results):
    """What became of one case on one host."""
    if any(result == "skipped" for _, result in results.values()):
        return "skipped"
    exact = sum(1 for kind, result in results.values() if result == "ok" and not kind)
    text = [str(exact)]
    for mode, (kind, result) in results.items():
        if result == "FAILED":
            text.append(f"!{mode}")
        elif kind:
            text.append(mode)
    return " ".join(text)


def table(rows, heads):
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    for row in [heads, ["-" * width for width in widths], *rows]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def markdown(by_topic, hosts):
    """The rows of a table in docs/hosts.md."""
    lines = []
    for topic, counts in by_topic.items():
        cells = [f"{counts[host][0]} of {sum(counts[host])}" for host in hosts]
        lines.append(f"| {topic} | " + " | ".join(cells) + " |")
    return lines


def main():
    options = {word for word in sys.argv[1:] if word.startswith("--")}
    suite, logs, *hosts = [word for word in sys.argv[1:] if not word.startswith("--")]
    bad = False
    per_host, cases = {}, {}
    for host in hosts:
        results, lost = read(pathlib.Path(logs) / f"{suite}.{host}")
        per_host[host] = results
        if not results or lost:
            bad = True
            print(f"{NAMES[host]}: no end; it was at: {lost or 'nothing'}")
        for name in skipped(suite, host):
            results.setdefault(name, ("", "skipped"))
        for name in results:
            case, mode = split(name)
            cases.setdefault(case, {}).setdefault(host, {})[mode] = results[name]
    topic_of = topics() if suite == "exact" else {}
    by_topic = collections.OrderedDict()
    for case, there in cases.items():
        if suite == "exact" and case not in topic_of:
            continue
        topic = topic_of.get(case, suite)
        for host in hosts:
            counts = by_topic.setdefault(topic, {}).setdefault(host, [0, 0, 0, 0])
            for kind, result in there.get(host, {}).values():
                counts[3 if result == "skipped" else 2 if result == "FAILED" else 1 if kind else 0] += 1
    heads = ["case"] + [NAMES[host] for host in hosts]
    if "--brief" not in options:
        table([[case] + [cell(there.get(host, {})) for host in hosts] for case, there in cases.items()], heads)
        print()
    rows = []
    for topic, counts in by_topic.items():
        cells = []
        for host in hosts:
            exact, *others = counts[host]
            words = [f"{count} {word}" for count, word in zip(others, ["listed", "FAILED", "skipped"]) if count]
            cells.append(", ".join([f"{exact}", *words]))
        rows.append([topic, *cells])
    table(rows, ["topic"] + heads[1:])
    for host in hosts:
        text = (pathlib.Path(logs) / f"{suite}.{host}").read_text(errors="replace")
        failures = re.findall(r"^---- (.+?) ----\n(.*?)(?=\n---- |\nfailures:|\Z)", text, re.S | re.M)
        reasons = {}
        for name, why in failures:
            case, mode = split(name)
            reasons.setdefault(case, (why, []))[1].append(mode)
        for case, (why, modes) in reasons.items():
            print(f"{NAMES[host]}: {case}, in {' '.join(modes)}; first: {' '.join(why.split())[:500]}")
        for name, why in skipped(suite, host).items():
            print(f"{NAMES[host]} skips {name}: {why}")
        summary = re.search(r"^\S+: \d+ cases, \d+ of them .*?(?=\n(?!  )|\Z)", text, re.S | re.M)
        if summary:
            print(f"\n{summary[0]}")
    if hosts == ["host", "amd", "intel"] and "--whole" in options and not bad:
        table_of = "measured" if suite == "exact" else "suites"
        bad |= compare(table_of, markdown(by_topic, hosts), "--bless" in options)
    sys.exit(bad)


def compare(table_of, new, bless):
    """Whether docs/hosts.md lacks any of the rows `new`; with `bless` it gets them, in place of what it has."""
    path = ROOT / "docs/hosts.md"
    text = path.read_text()
    mark = f"<!-- {table_of} -->\n"
    head, rest = text.split(mark, 1)
    old, tail = rest.split("<!-- end -->", 1)
    title, ruler, *rows = old.strip().splitlines()
    first = lambda row: row.split("|")[1]
    ours = {first(row): row for row in new}
    if table_of == "measured":
        merged = new
    else:
        known = {first(row) for row in rows}
        merged = [ours.get(first(row), row) for row in rows] + [row for row in new if first(row) not in known]
    if rows == merged:
        return False
    if bless:
        table = "\n".join([title, ruler, *merged])
        path.write_text(f"{head}{mark}\n{table}\n\n<!-- end -->{tail}")
        return False
    if not pathlib.Path("/sys/module/kvm_pvm").exists():
        print("docs/hosts.md has the numbers of another host than this one; not compared")
        return False
    print("docs/hosts.md does not say what was measured; look, then: scripts/exactness --bless")
    return True


main()
