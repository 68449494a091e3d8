"""Memory of a server at rest by process, and the time until it is ready, with the bundled model and no index.

    python -m benchmarks.at_rest

Prints for each process what it has written (``Pss_Anon``) and all of its memory, shared files counted once (``Pss``).
"""

from __future__ import annotations

import time

from benchmarks.load.servers import kilobytes, service, serving

SETTLE_S = 8.0  # until the processes have done what they do after the start


def main() -> None:
    """Start a server and print its figures in Markdown."""
    began = time.perf_counter()
    with serving(service(None)) as server:
        print(f"ready after {time.perf_counter() - began:.1f} s\n")
        time.sleep(SETTLE_S)
        print("| MB | written | all |", "|---|---|---|", sep="\n")
        totals = [0.0, 0.0]
        for folder in server.processes():
            found = [kilobytes(folder / "smaps_rollup", name) / 1024 for name in ("Pss_Anon", "Pss")]
            totals = [total + value for total, value in zip(totals, found, strict=True)]
            print(f"| {(folder / 'comm').read_text().strip()} | {found[0]:.0f} | {found[1]:.0f} |")
        print(f"| together | {totals[0]:.0f} | {totals[1]:.0f} |")


if __name__ == "__main__":
    main()
