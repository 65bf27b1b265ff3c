"""Has this program's clock run at another rate than the machine's: what it reads, and how long it sleeps and waits."""
import os
import threading
import time

rate = float(os.environ["BENCH_CLOCK_RATE"])
now, sleep, wait = time.time, time.sleep, threading.Condition.wait
start = now()

time.time = lambda: start + (now() - start) * rate
time.sleep = lambda seconds: sleep(seconds / rate)
threading.Condition.wait = lambda self, timeout=None: wait(self, timeout and timeout / rate)
