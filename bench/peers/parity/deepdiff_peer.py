"""deepdiff_peer.py DIR: parses three snapshots, compares two with the third, and prints what that took."""
import json
import resource
import sys

from deepdiff import DeepDiff

dev, staging, production = (
    json.load(open(f"{sys.argv[1]}/{name}.json", encoding="utf-8")) for name in ("dev", "staging", "production")
)
found = sum(len(v) for tested in (dev, staging) for v in DeepDiff(tested, production).values())
used = resource.getrusage(resource.RUSAGE_SELF)
print("differences", found)
print("cpu_s", used.ru_utime + used.ru_stime)
print("peak_mib", used.ru_maxrss / 1024)
