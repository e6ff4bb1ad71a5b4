"""One mutant for each rule of the model: what the code says, what it says when it is wrong, and who should notice."""

from __future__ import annotations

from dataclasses import dataclass

TRANSCRIPTS = ("tests/test_transcripts.py",)
AGREE = ("tests/equivalence/test_executors_agree.py",)
KEYED = ("tests/engine/test_keyed_against_oracle.py",)


@dataclass(frozen=True)
class Mutant:
    """A change that breaks a rule.

    Parameters
    ----------
    rule : str
        What is broken, as a sentence.
    file, old, new : str
        The text ``old``, which stands once in ``file``, becomes ``new``.
    tests : tuple of str
        What pytest is given; one failure is enough.
    """

    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = (*TRANSCRIPTS, *KEYED)


WINDOWS = "flower/model/windows.py"
LIFT = "flower/engine/lift.py"
PANES = "flower/engine/panes.py"
ALIGNED = "flower/engine/aligned.py"
SESSIONS = "flower/engine/sessions.py"
GROUPS = "flower/engine/groups.py"
LEAVES = "flower/model/triggers/leaves.py"
COMBINED = "flower/model/triggers/combined.py"
AT_WATERMARK = "flower/model/triggers/watermark.py"
TOP = "flower/model/triggers/top.py"
JOINS = ("tests/test_join_transcripts.py",)
JOINS_AGREE = ("tests/equivalence/test_joins_agree.py",)
HELD = ("tests/engine/test_joined.py",)
COGROUPED = ("tests/engine/test_cogrouping.py", "tests/test_join_transcripts.py")
ENRICHED = ("tests/test_join_transcripts.py", "tests/engine/test_enriching.py")
JOINED = "flower/engine/joined.py"
INTERVAL = "flower/engine/interval.py"
DEDUPLICATION = "flower/engine/deduplication.py"
BLOOM = "flower/engine/bloom.py"
SKETCHED = (
    "tests/test_choosing_transcripts.py",
    "tests/engine/test_deduplication.py",
    "tests/equivalence/test_choosing_agrees.py",
)
NEVER = ("tests/test_join_transcripts.py", "tests/equivalence/test_joins_agree.py")
DEDUPLICATED = ("tests/test_choosing_transcripts.py", "tests/engine/test_deduplication.py")
CHOSEN = "flower/model/combiners/chosen.py"
CHOSEN_OF = ("tests/model/test_chosen.py", "tests/equivalence/test_chosen_agree.py")
PIVOTED = ("tests/api/test_pivot.py",)
PROCESSED = "flower/engine/processed.py"
PROCESSING = "flower/engine/processing.py"
KEPT = "flower/engine/kept.py"
LEARNING = "flower/engine/learning.py"
MODELS = "flower/graph/models.py"
LEARNT = ("tests/test_learning_transcripts.py", "tests/equivalence/test_learners_agree.py")
CALLING = "flower/engine/calling.py"
VECTORISED = "flower/engine/vectorised.py"
CODE = ("tests/test_process_transcripts.py", "tests/equivalence/test_processes_agree.py")
ASOF = "flower/engine/asof.py"
INWINDOW = "flower/engine/inwindow.py"
WAITING = "flower/engine/waiting.py"
PAIRING = "flower/engine/pairing.py"
PAIRS = ("tests/engine/test_pairing.py",)
RETRACT = ("tests/equivalence/test_retractions_agree.py", *TRANSCRIPTS)
TRIGGERS = ("tests/model/test_triggers.py", *TRANSCRIPTS, *AGREE)
DISORDER = "flower/model/watermarks/disorder.py"
TOLD = "flower/model/watermarks/told.py"
BOTH = "flower/model/watermarks/both.py"
PERCENTILE = "flower/model/watermarks/percentile.py"
HOLDS = "flower/engine/holds.py"
SLICES = "flower/engine/slices.py"
SLICED = ("tests/engine/test_slices.py",)
BLOCKS = "flower/engine/blocks.py"
FOUND = ("tests/engine/test_compaction.py", "tests/engine/test_directory.py")
BLOCKED = ("tests/engine/test_blocks.py", *TRANSCRIPTS)
WATERMARKS = ("tests/model/test_watermarks.py", "tests/api/test_watermark_policies.py", *AGREE)
OUT = ("tests/engine/test_holds.py", "tests/equivalence/test_output_watermarks.py")
TTL = (*TRANSCRIPTS, *AGREE, "tests/engine/test_ttl.py", *OUT)

LEDGER = "flower/engine/ledger.py"
RECOVERY = "flower/engine/recovery.py"
PARTS = "flower/engine/parts.py"
DEALT = "flower/engine/resharding.py"
DRIVER = "flower/engine/dask_driver.py"
JOURNAL = "flower/io/journal.py"
RESUMING = ("tests/recovery/test_resuming.py",)
DAMAGE = ("tests/recovery/test_damage.py",)
FAULTS = ("tests/recovery/test_faults.py",)
ANEW = ("tests/recovery/test_dealt_anew.py",)
WORKERS = ("tests/recovery/test_on_workers.py",)

FILLED = "flower/engine/counted.py"
PLACING = "flower/engine/placing.py"
CALENDAR = "flower/model/calendar.py"
OWN = ("tests/api/test_own_windows.py",)
ROWS = "flower/model/combiners/rows.py"
COUNTED = "flower/model/combiners/counted.py"
ROWWISE = "flower/engine/rowwise.py"
APPLY = ("tests/api/test_apply.py",)
COMBINERS = ("tests/model/test_combiners.py",)

MUTANTS: tuple[Mutant, ...] = (
    # Windows
    Mutant("a fixed window's end belongs to it", WINDOWS, "into = time - time // period * period", "into = time - 1 - (time - 1) // period * period"),
    Mutant("the offset of windows is not counted", WINDOWS, "    if offset:\n        into =", "    if False:\n        into ="),
    Mutant("a sliding window is forgotten", WINDOWS, "most = -(-self.size_us // self.every_us)", "most = self.size_us // self.every_us"),
    Mutant("sessions that touch merge", SESSIONS, "else start >= reach", "else start > reach"),
    Mutant("of a session's parts only the last one's end counts", SESSIONS, "np.maximum(_last_end(end, is_old, place, begin), _last_end(end, ~is_old, place, begin))", "_last_end(end, ~is_old, place, begin)"),
    Mutant("slices: a row that is late for a window is in a slice", LIFT, "late = met >= whole.first[whole.code]", "late = met > whole.first[whole.code]", SLICED),
    Mutant("slices: a row that meets the end of its window is not late", SLICES, "np.minimum.reduceat(self.code, at[slices]) <= slices", "np.minimum.reduceat(self.code, at[slices]) < slices", SLICED),
    Mutant("slices: those of a window that is open leave", SLICES, "np.searchsorted(self._begun + self.size, watermark", "np.searchsorted(self.run.end, watermark", SLICED),
    Mutant("slices: a window lacks its first", SLICES, "others: I64 = (self._begun + self.size - self.run.end) // self.every", "others: I64 = (self._begun + self.size - self.run.end - 1) // self.every", SLICED),
    Mutant("sessions: what is taken out is there still", BLOCKS, "        there[at] = False\n", "", BLOCKED),
    Mutant("sessions: nobody asks those that expire", SESSIONS, "    if step.windowing.allowed_lateness_us:\n", "    if False:\n", BLOCKED),
    Mutant("sessions: the clock wakes none", SESSIONS, "    if step.windowing.trigger.timed:\n", "    if False:\n"),
    Mutant("sessions: old ones that end last alone merge with new ones", SESSIONS, "near = new.start <= old.end.max()", "near = new.start <= old.end.min()"),
    Mutant("windows of rows: one row more fills a window", FILLED, "(number % windows.n == 0)", "(number % (windows.n + 1) == 0)"),
    Mutant("windows of rows: what was begun is begun again", FILLED, "        had[at] = begun.rows\n", "        pass\n"),
    Mutant("windows of rows: partitions take no turns", FILLED, "np.lexsort((pairs.batch.position, pairs.batch.partition))", "np.arange(len(pairs))[::-1]"),
    Mutant("windows of rows: a full window goes on", FILLED, "rows, holds = np.where(full, 0, groups.rows), ", "rows, holds = groups.rows, "),
    Mutant("windows of rows: late rows hold the watermark", FILLED, "timely = batch.time >= batch.met", "timely = batch.time >= MIN_TIME", OUT),
    Mutant("windows of rows: rows that wait hold nothing", FILLED, "out = min(w1, held(runs, law, newest_wins=True))", "out = w1", OUT),
    Mutant("windows of rows: panes of one time are one in the view", "flower/model/panes.py", "return isinstance(windowing.windows, CountWindows) or (", "return (", ("flower/model/windows.py", "tests/model/test_view.py")),
    Mutant("gaps: of the rows of a session the last ends it", LIFT, "    reach = _reach(key, end[order])\n", "    reach = end[order]\n"),
    Mutant("gaps: a gap of nothing is one", "flower/engine/rowwise.py", "bad = values <= 0 if none", "bad = values < 0 if none", ("tests/engine/test_gaps.py",)),
    Mutant("gaps: rows without one vanish", "flower/engine/epoch.py", "if lifted.errors is not None and len(lifted.errors):", "if False:", ("tests/engine/test_gaps.py",)),
    Mutant("gaps: their columns are not read", "flower/graph/optimizer/prune_columns.py", "needed[node.input] |= columns_used(windows.gap, node.input.schema)", "pass", ("tests/engine/test_gaps.py",)),
    Mutant("custom windows may end before they start", PLACING, "np.flatnonzero(start >= end)", "np.flatnonzero(start > end)", OWN),
    Mutant("custom windows are those of other rows", PLACING, "row = row.astype(np.int64)", "row = np.sort(row.astype(np.int64))", OWN),
    Mutant("touching windows do not merge", WINDOWS, "isinstance(windows, Sessions | WindowFn) and windows.merge_touching", "False"),
    Mutant("a calendar's day is UTC's", CALENDAR, "np.clip(time, _FIRST, _LAST), self.tz)", "np.clip(time, _FIRST, _LAST), \"UTC\")", (*TRANSCRIPTS, "tests/model/test_calendar.py")),
    Mutant("a calendar's weeks begin on Thursday", CALENDAR, "(days - 4) // (7 * self.n)", "days // (7 * self.n)", (*TRANSCRIPTS, "tests/model/test_calendar.py")),
    Mutant("a calendar shows a day once more where clocks go back over midnight", CALENDAR, "again = time >= ends[code]", "again = time > MAX_TIME - 1 + 0 * ends[code]", ("tests/model/test_calendar.py",)),
    Mutant("processing: a row's own time places it", LIFT, "batch = replace(batch, time=constant(now, len(batch)), met", "batch = replace(batch, met"),
    Mutant("processing: the clock does not complete windows", "flower/engine/state.py", "        watermark = now\n", "        pass\n"),
    # Admission and lateness
    Mutant("a row at the very watermark of a window's end is not late", LIFT, "late = np.flatnonzero(met >= end)", "late = np.flatnonzero(met > end)"),
    Mutant("a pair is dropped only after its expiry", LIFT, "late[met[late] >= step.windowing.expiry(end[late])]", "late[met[late] > step.windowing.expiry(end[late])]"),
    Mutant("allowed lateness is ignored", "flower/model/windowing.py", "return later(end, self.allowed_lateness_us)", "return later(end, 0)"),
    Mutant("other partitions do not hold a row's watermark back", LIFT, "    if elsewhere < MAX_TIME:\n        met = np.minimum(met, elsewhere)\n", "", (*TRANSCRIPTS, *AGREE)),
    Mutant("a row may meet less than was promised", LIFT, "return np.maximum(met, watermark) if watermark > met.min(initial=MAX_TIME) else met", "return met", (*TRANSCRIPTS, *AGREE)),
    Mutant("a row's own partition moves before it meets the watermark", DISORDER, "met = newest[:-1]", "met = newest[1:]", WATERMARKS),
    Mutant("nothing is taken off the newest event time", DISORDER, "watermark=later_by(after.newest, -bound))", "watermark=later_by(after.newest, 0))", WATERMARKS),
    Mutant("a punctuation counts for its own row", TOLD, "return made[:-1], int(made[-1])", "return made[1:], int(made[-1])", WATERMARKS),
    Mutant("a punctuation takes the watermark back", TOLD, "met = np.maximum(before, estimate.watermark)", "met = before", WATERMARKS),
    Mutant("the earliest of policies is the latest", BOTH, "self._chosen.reduce([part.watermark", "np.maximum.reduce([part.watermark", WATERMARKS),
    Mutant("rows meet the latest of the earliest of policies", BOTH, "self._chosen.reduce([each", "np.maximum.reduce([each", WATERMARKS),
    Mutant("what is learnt counts a row late", PERCENTILE, "                made[stop] = int(behind(newest[stop - 1 : stop], bound)[0])\n", "", WATERMARKS),
    Mutant("what is learnt depends on the epochs", PERCENTILE, "for stop in _pauses(estimate.rows, n):", "for stop in _pauses(0, n):", WATERMARKS),
    Mutant("nothing learnt is forgotten", PERCENTILE, "counts -= (counts + 7) // 8", "counts -= 0", WATERMARKS),
    Mutant("a watermark that waits for its bound goes back", PERCENTILE, "        np.maximum.accumulate(made, out=made)\n", "", WATERMARKS),
    Mutant("a quantile is that of the bucket before", PERCENTILE, "return int(_EDGES[bucket + 1]) - 1", "return int(_EDGES[bucket])", WATERMARKS),
    Mutant("an idle partition holds the others back", "flower/model/watermarks/sources.py", "return now - estimate.last_row >= policy.idle_us", "return now - estimate.last_row > policy.idle_us", WATERMARKS),
    # When a pane fires
    Mutant("a window that the watermark reaches is not complete", PANES, "passing, expired = ~early & ~late,", "passing, expired = (end < w1) & ~late,"),
    Mutant("a completed window fires early first", "flower/model/triggers/base.py", "return self.end > self.watermark", "return self.end >= self.watermark"),
    Mutant("an on-time pane needs rows", PANES, "fired = moved & (some | passing) if", "fired = moved & some if"),
    Mutant("fire_if_non_empty does not matter on time", PANES, "else moved & some\n    lapsed", "else moved & (some | passing)\n    lapsed"),
    Mutant("a window expires without its closing pane", PANES, "    fired = fired | closing\n", "    fired = fired.copy()\n"),
    Mutant("closing panes fire without rows", PANES, '    if windowing.closing_behavior != "fire_always":\n', "    if False:\n"),
    Mutant("late rows without a late trigger wait for the end", AT_WATERMARK, "now_or_never(asked.rows > 0) if self.late is None", "now_or_never(asked.rows < 0) if self.late is None"),
    Mutant("a window leaves later than it expires", ALIGNED, "kept = living(whole.split(expired)[1])", "kept = living(whole.split(MIN_TIME)[1])"),
    Mutant("passed windows are asked when nothing came", ALIGNED, "gone, passed = _cut(state.passed, expired, law)", "gone, passed = _cut(state.passed, MIN_TIME, law)"),
    # Panes
    Mutant("a pane's timing is that of the watermark before", PANES, "np.where(early, EARLY, np.where(late, LATE, ON_TIME))", "np.where(end > w0, EARLY, np.where(late, LATE, ON_TIME))"),
    Mutant("panes are not numbered", GROUPS, "panes=groups.panes + fired)", "panes=groups.panes)"),
    Mutant("a merged session goes on counting panes", SESSIONS, "panes = np.where(same, every.groups.panes, 0)", "panes = every.groups.panes"),
    Mutant("what was never emitted is absorbed", SESSIONS, "swallowed = ~same & (every.groups.panes > 0)", "swallowed = ~same"),
    Mutant("absorbed windows are told twice", SESSIONS, "counts = np.where(told, 0, np.diff(np.asarray(absorbs.offsets)))", "counts = np.diff(np.asarray(absorbs.offsets))"),
    Mutant("discarding panes keep their rows", GROUPS, "        if not self.discarding:\n", "        if True:\n"),
    Mutant("a pane that may be followed is final", PANES, "fired & (expired | finished), marks, lapsed)", "fired, marks, lapsed)"),
    Mutant("a pane's time is its window's end", PANES, "np.where(end == MAX_TIME, MAX_TIME, end - 1)", "end"),
    Mutant("the latest row's time is the earliest's", GROUPS, 'np.minimum if self.stamp == "earliest" else np.maximum', "np.minimum"),
    Mutant("open windows do not hold the output watermark", ALIGNED, "out = min(w1, held(", "out = max(w1, held(", (*KEYED, *AGREE, *OUT)),
    Mutant("open sessions do not hold the output watermark", SESSIONS, "if step.law.stamp is not None else ()", "if False else ()", OUT),
    Mutant("a session that was taken out holds the watermark", SESSIONS, "block.there[at] & (block.run.end[at] > state.watermark)", "block.run.end[at] > state.watermark", BLOCKED),
    Mutant("a passed session holds the watermark", SESSIONS, "block.there[at] & (block.run.end[at] > state.watermark)", "block.there[at]", OUT),
    Mutant("the earliest hold is looked for once", BLOCKS, "            first, many = first + many, 2 * many\n", "            break\n", BLOCKED),
    Mutant("a stamp that a newer run replaces holds the watermark", HOLDS, "if len(runs) == 1 or (law.stamp ==", "if True or (law.stamp ==", OUT),
    Mutant("only one window can hold the watermark", HOLDS, "if nearer.any() else bound", "if False else bound", OUT),
    Mutant("a group without rows holds the watermark", HOLDS, "stamp[stamp != law.no_stamp]", "stamp[stamp != 0]", OUT),
    Mutant("a run's low is that of groups without rows", "flower/engine/runs.py", "np.where(stamp == nothing, MAX_TIME, stamp)", "stamp", OUT),
    # A ttl
    Mutant("a key is let go a tick late", PANES, "windowing.lapse(groups.last) <= w1", "windowing.lapse(groups.last) < w1", TTL),
    Mutant("a key that is let go has no last pane", PANES, "closing = expired if lapsed is None else expired | lapsed", "closing = expired", TTL),
    Mutant("a pane before a key is let go is final", PANES, "fired & (expired | finished), marks, lapsed)", "fired & (closing | finished), marks, lapsed)", TTL),
    Mutant("a key that was let go goes on where it was", ALIGNED, "        newest[mine[run.groups.last[at[mine]] == GONE]] = -1\n", "        pass\n", TTL),
    Mutant("windows that pass bring back what was let go", ALIGNED, "front = living(_whole([done for done, _ in parts if done is not None], law, newest_wins=True))", "front = _whole([done for done, _ in parts if done is not None], law, newest_wins=True)", TTL),
    Mutant("sessions are not let go", SESSIONS, "stays if firing.lapsed is None else stays & ~firing.lapsed", "stays", TTL),
    Mutant("the newest row of a key is its oldest", GROUPS, "np.maximum.at(last, codes, groups.last)", "np.minimum.at(last, codes, groups.last)", TTL),
    Mutant("of a key's touches the first counts", "flower/engine/touched.py", "last = np.sort(order[arrays.group_ends(np.flatnonzero(change), len(order))])", "last = np.sort(order[change])", TTL),
    Mutant("keys are never due", "flower/engine/touched.py", 'np.searchsorted(each.due, watermark, side="right")', "0", TTL),
    # Triggers
    Mutant("a count needs one row more", LEAVES, "asked.rows) >= self.n)", "asked.rows) > self.n)", TRIGGERS),
    Mutant("the counts of merged windows do not add up", LEAVES, "np.add.at(total, codes, marks[0])", "np.maximum.at(total, codes, marks[0])", TRIGGERS),
    Mutant("a delay counts from the newest row", LEAVES, "np.where(added > 0, np.minimum(marks[0], now), marks[0])", "np.where(added > 0, now, marks[0])", TRIGGERS),
    Mutant("a delay is not aligned", LEAVES, "        return due + ahead\n", "        return due\n", TRIGGERS),
    Mutant("any is all", COMBINED, "class _Any(_Parts):\n    def due(self, marks: Marks, asked: Asked) -> I64:\n        return reduce(np.minimum", "class _Any(_Parts):\n    def due(self, marks: Marks, asked: Asked) -> I64:\n        return reduce(np.maximum", TRIGGERS),
    Mutant("all is any", COMBINED, "class _All(_Parts):\n    def due(self, marks: Marks, asked: Asked) -> I64:\n        return reduce(np.maximum", "class _All(_Parts):\n    def due(self, marks: Marks, asked: Asked) -> I64:\n        return reduce(np.minimum", TRIGGERS),
    Mutant("the next trigger hears of all rows", COMBINED, "part.on_rows(own, np.where(at == number, added, 0), now)", "part.on_rows(own, added, now)", TRIGGERS),
    Mutant("of merged windows all counts go on", COMBINED, "behind = marks[0] < furthest[codes]", "behind = marks[0] < 0", TRIGGERS),
    Mutant("what is repeated does not begin anew", COMBINED, "return self.part.reset(marks, finished), np.zeros", "return marks, np.zeros", TRIGGERS),
    Mutant("until is not the end when both fire", COMBINED, "over = fired & (until.due(untils, asked) <= asked.now)", "over = fired & (until.due(untils, asked) <= asked.now) & (actual.due(own, asked) > asked.now)", TRIGGERS),
    Mutant("until forgets what panes have had", COMBINED, "self.until.machine(lasting=True)])", "self.until.machine()])", TRIGGERS),
    Mutant("early does not begin anew at the watermark", AT_WATERMARK, "early = self.early.reset(early, finished | after | passing)", "early = self.early.reset(early, finished)", TRIGGERS),
    Mutant("late hears of rows that early panes had", AT_WATERMARK, "late = self.late.reset(late, finished | before | passing)", "late = self.late.reset(late, finished)", TRIGGERS),
    Mutant("a trigger that has finished fires again", TOP, "np.where(marks[-1] > 0, MAX_TIME, self.part.due(marks[:-1], asked))", "self.part.due(marks[:-1], asked)", TRIGGERS),
    Mutant("rows that come after a trigger finished are taken", ALIGNED, "        over[here] = Finishing.finished(run.groups.marks)[at[here]]\n", "        over[here] = False\n", TRIGGERS),
    Mutant("rows of a finished session are taken", SESSIONS, "    if not any(map(len, parts)):\n", "    if True:\n", TRIGGERS),
    Mutant("a row that touches a finished session is dropped", "flower/engine/pairs.py", "(ends > np.concatenate((self.start, end))[order])", "(ends >= np.concatenate((self.start, end))[order])", TRIGGERS),
    Mutant("a row that a finished session touches is dropped", "flower/engine/pairs.py", "order = np.lexsort((window, np.concatenate((self.end + reach, start)), key))", "order = np.lexsort((~window, np.concatenate((self.end + reach, start)), key))", TRIGGERS),
    Mutant("a finished session of one key drops the rows of another", "flower/engine/pairs.py", "(key[before] == key[order]) & ", "", TRIGGERS),
    Mutant("rows next to a dropped one are dropped with it", "flower/engine/state.py", "    left = pairs.where(~over)\n", "    left = pairs.where(over & ~over)\n", TRIGGERS),
    Mutant("refused pairs are counted as taken", "flower/engine/pairs.py", "Counts(late - len(pairs), -late, len(pairs))", "Counts(0, 0, len(pairs))", ("tests/engine/test_finishing.py",)),
    Mutant("the watermark's turn within a sequence never ends", COMBINED, "finished = finished | (fires & ~asked.early)", "finished = finished | (fires & asked.late & asked.early)", TRIGGERS),
    Mutant("an early pane ends the watermark's turn", COMBINED, "finished = finished | (fires & ~asked.early)", "finished = finished | fires", TRIGGERS),
    Mutant("the last of a sequence is over at the watermark", COMBINED, "for each in self.triggers[:-1]),\n            False,", "for each in self.triggers[:-1]),\n            isinstance(self.triggers[-1], AfterWatermark),", TRIGGERS),
    Mutant("a data-driven trigger looks at what no row has changed", PANES, "Asked(groups.rows, groups.since, end, w0, w1, now, lambda predicate: _holds(predicate, groups, step))", "Asked(groups.rows, groups.since, end, w0, w1, now, lambda predicate: ~_holds(predicate, groups, step))", TRIGGERS),
    Mutant("windows that nothing touched are asked", PANES, "        moved &= (groups.fresh > 0) | passing | expired | (due > MIN_TIME)\n", "", TRIGGERS),
    Mutant("the clock does not wake a window", ALIGNED, "due_now = [timer.run for timer in timers if timer.due <= now]", "due_now = [timer.run for timer in timers if timer.due < MIN_TIME]", (*TRANSCRIPTS, *AGREE)),
    # Recovery
    Mutant("what is committed is committed again", "flower/engine/embedded.py", "if self._recovery is None or not self._recovery.is_committed(epoch):", "if True:", RESUMING),
    Mutant("a commit that was under way is left so", RECOVERY, "                sink.commit(last.epoch, staged[step])\n", "                pass\n", DAMAGE),
    Mutant("logged epochs are planned anew", RECOVERY, "        if logged is None:\n            return None\n        stages", "        if True:\n            return None\n        stages", RESUMING),
    Mutant("a run that was overtaken goes on", LEDGER, '        self._fence()\n        name = f"{kind}', '        name = f"{kind}', RESUMING),
    Mutant("a torn end of a journal stays", JOURNAL, "            disk.cut(paths[-1], size)\n", "            pass\n", DAMAGE),
    Mutant("the log forgets what the older checkpoint needs", LEDGER, '                if epoch < oldest:\n                    self.files.remove(f"{kind}', '                if epoch <= oldest:\n                    self.files.remove(f"{kind}', DAMAGE),
    Mutant("results begin anew", RECOVERY, "if before is None or not result.restore(before):", "if False:", RESUMING),
    Mutant("only the newest checkpoint is kept", LEDGER, "KEPT = 2", "KEPT = 1", DAMAGE),
    Mutant("what a window has not is found before it", "flower/engine/runs.py", "np.where(place >= 0, place + low, -1) if low", "place + low if low", FOUND),
    Mutant("a window's directory goes to another when windows are cut off", "flower/engine/runs.py", "{at - first: known for", "{at: known for", FOUND),
    Mutant("only the first of numbers of the same high bits is found", "flower/engine/directory.py", "on = np.flatnonzero((here < sought) & (place < last))", "on = np.flatnonzero((here < sought) & (place < 0))", FOUND),
    Mutant("more than a few equal numbers are not told apart from the next", "flower/engine/directory.py", "        after[asking] = self._numbers.searchsorted(wanted[asking], side=\"right\")\n", "", FOUND),
    Mutant("a cut of a cut is told from its own start", "flower/engine/runs.py", "(whole, before + first)", "(whole, first)", DAMAGE),
    Mutant("parts that are used are collected", PARTS, "if name not in kept and name[", "if name[", DAMAGE),
    Mutant("dealt: every shard has all keys", DEALT, "shard_of(hash_, shards) == shard", "shard_of(hash_, shards) >= 0", ANEW),
    Mutant("dealt: timers are lost", DEALT, "return None if run is None else Timer(value.due, run)", "return None", ANEW),
    Mutant("dealt: groups lapse no more", DEALT, "value.groups.take(at)) if len(at) else None", "value.groups.take(at)) if len(at) < 0 else None", ANEW),
    Mutant("dealt: what has been taken out of sessions is there again", DEALT, "    left = value.left\n", "    left = value.run\n", ANEW),
    Mutant("dealt: what is remembered no more is remembered", DEALT, "    left = value.without(np.flatnonzero(~mine(value.hash)))\n", "    left = Kept(value.columns, value.keys, value.timers, mine(value.hash), value.dues, value.hold)\n", ANEW),
    Mutant("dealt: older records come last", DEALT, "for level in range(most, 0, -1))", "for level in range(1, most + 1))", ANEW),
    Mutant("dealt: rows of an as-of join are not by key", DEALT, "_held([state.right for state in states], by_key)", "_held([state.right for state in states], by_until)", ANEW),
    Mutant("dealt: a batch's rows that wait are lost", DEALT, "return DistinctState(_held([state.given for state in states], by_key), waiting)", "return DistinctState(_held([state.given for state in states], by_key), ())", ANEW),
    Mutant("workers: a checkpoint counts before its parts are there", LEDGER, "if missing := self._reader.parts.missing(parts.used):", "if missing := [][:0]:", WORKERS),
    Mutant("workers: another deal is taken as it is", DRIVER, "dealt_anew=not alike", "dealt_anew=False", WORKERS),
    Mutant("workers: epochs are not logged before they run", DRIVER, "            self._recovery.planned(self.job, epoch)\n", "            pass\n", WORKERS),
    Mutant("workers: rows that are out are let out again", DRIVER, "wanting = self._wanting(plan.epoch)", "wanting = self._sinks", WORKERS),
    Mutant("workers: states are begun anew", DRIVER, "_Root(marks_of(self._seen), self._states_there())", "_Root(marks_of(self._seen), {})", WORKERS),
    Mutant("workers: a checkpoint is of what was planned", "flower/engine/embedded.py", "self._recovery.save(self.job, self.seen, shards", "self._recovery.save(self.job, self.state, shards", WORKERS),
    Mutant("workers: the parts of a state are not looked at", PARTS, ".union(*map(self._seen, sorted(names)))", ".union(names)", WORKERS),
    Mutant("workers: a worker elsewhere is let in", "flower/engine/cluster.py", "            if told is not None:\n                raise RunError(\n                    f\"the checkpoint", "            if False:\n                raise RunError(\n                    f\"the checkpoint", WORKERS),
    Mutant("workers: files of a state are let go with the next checkpoint", PARTS, "self.used |= {value.name, *value.parts}", "self.used |= {value.name}", WORKERS),
    Mutant("a run that goes on began now", RECOVERY, '            value["started"],', "            started,", RESUMING),
    Mutant("epochs that are run again know partitions of later", "flower/engine/embedded.py", "discovered(self.job, self.state, again.partitions)", "discovered(self.job, self.state)", RESUMING),
    Mutant("a job that goes on has a new run in its sinks", "flower/io/epoch_files.py", "            if known is not None:\n                self._run = known\n                return\n", "            pass\n", RESUMING),
    Mutant("a generator begins anew", "flower/io/live.py", "self.source.open(self.begun)", "self.source.open()", RESUMING),
    Mutant("a job that was stopped is finished", "flower/engine/run.py", 'driver.save(finished=self._state != "stopped")', "driver.save(finished=True)", RESUMING),
    Mutant("what a dead process staged stays", RECOVERY, "                sink.sweep()\n", "                pass\n", FAULTS),
    Mutant("what a checkpoint puts together is new to charts", "flower/engine/results.py", "batch.slice(max(0, len(batch) - left))", "batch", RESUMING),
    Mutant("a later run's part may be another", PARTS, 'if data[8:40].hex() != name.partition("-")[2]:', "if False:", DAMAGE),
    Mutant("output watermarks begin anew", RECOVERY, 'told["watermarks"].get(stage.name, MIN_TIME)', "MIN_TIME", ("tests/recovery/test_any_pipeline.py",)),
    # What is chosen, required and approximate
    Mutant("the least are the top", CHOSEN, "            first = [-_dense(first)]\n", "            first = [_dense(first)]\n", CHOSEN_OF),
    Mutant("rows that stand in one place are cut before their values are seen", CHOSEN, "np.where(at_start < self.n, counts, 0)", "np.where(before < self.n, counts, 0)", CHOSEN_OF),
    Mutant("rows that may be taken back are let go", CHOSEN, "        return replace(self, whole=True)\n", "        return self\n", CHOSEN_OF),
    Mutant("a state holds all rows", CHOSEN, "            return super()._together(state, codes, entries, counts)\n        order, left", "            pass\n        return super()._together(state, codes, entries, counts)\n        order, left", CHOSEN_OF),
    Mutant("a sample has no seed", CHOSEN, "np.full(len(order.time), self.seed, np.uint64)", "np.full(len(order.time), 0, np.uint64)", CHOSEN_OF),
    Mutant("a sample does not see where rows came from", CHOSEN, "for part in (order.time, order.partition, order.position):", "for part in (order.time, order.partition):", CHOSEN_OF),
    Mutant("rows that are not as required vanish", "flower/engine/rowwise.py", "    errors.add(batch, np.flatnonzero(told & ~mask), UNMET, f\"`{predicate}` does not hold\")\n", "    del told\n", PIVOTED),
    Mutant("what has another value counts", "flower/model/combiners/only.py", "here = np.flatnonzero(pc.equal(decides, self.equals).fill_null(False).to_numpy(zero_copy_only=False))", "here = np.arange(len(decides))", PIVOTED),
    Mutant("a value that is missing is not the latest", "flower/model/combiners/order.py", "        return self.merge(state, (order.time, order.partition, order.position, column), codes)\n", "        return super().add(state, codes, column, order)\n", ("tests/test_choosing_transcripts.py",)),
    Mutant("a session lasts until its gap is over", "flower/model/combiners/order.py", "pa.array(np.where(none, 0, state[1] - state[0]), mask=none)", "pa.array(np.where(none, 0, state[1] - state[0] + 120_000_000), mask=none)", ("tests/test_choosing_transcripts.py",)),
    Mutant("a row may be in two branches", "flower/api/choosing.py", 'Call("coalesce", (*chosen, Literal(rest)))', 'Call("coalesce", (*reversed(list(chosen)), Literal(rest)))', ("tests/api/test_partition.py",)),
    Mutant("a sketch depends on the order of its values", "flower/model/combiners/sketches.py", "        sketch.trim()", "        pass", ("tests/model/test_sketches.py",)),
    Mutant("sketches pile up", "flower/model/combiners/sketches.py", "many = np.flatnonzero(sizes > PARTS)", "many = np.flatnonzero(sizes > 10**9)", ("tests/model/test_sketches.py",)),
    # Deduplication
    Mutant("rows given in earlier epochs are forgotten", DEDUPLICATION, "        repeats[mine] = True\n", "        pass\n", DEDUPLICATED),
    Mutant("what repeats a row left out is left out", DEDUPLICATION, "        following = following[following]\n", "        break\n", DEDUPLICATED),
    Mutant("a row that is as far away as it may be is another", DEDUPLICATION, "later(time, step.reach), inclusive=True)", "later(time, step.reach), inclusive=False)", DEDUPLICATED),
    Mutant("a late row is compared", DEDUPLICATION, "np.flatnonzero(met > batch.time)", "np.flatnonzero(met > batch.time + 10**12)", DEDUPLICATED),
    Mutant("the first is the first in its partition", DEDUPLICATION, "np.lexsort((new.position[among], new.partition[among], new.time[among], key))", "np.lexsort((new.time[among], new.position[among], new.partition[among], key))", DEDUPLICATED),
    Mutant("what was given is let go an instant too soon", DEDUPLICATION, "seen.where(seen.until >= w1)", "seen.where(seen.until > w1)", DEDUPLICATED),
    Mutant("what was given is remembered for ever", DEDUPLICATION, "tuple(each for table in state.given if (each := thinned(table, w1)) is not None)", "state.given", DEDUPLICATED),
    Mutant("a batch gives rows on the way", DEDUPLICATION, "if step.batch and w1 < MAX_TIME:", "if False:", DEDUPLICATED),
    # Joins
    Mutant("rows of two windows are joined", PAIRING, "if len(at) and ((at != at[0]).any() or (until != until[0]).any()):", "if False:", JOINS),
    Mutant("an interval has no first instant", PAIRING, "(_moved(rows.at, low), False)", "(_moved(rows.at, low), True)", JOINS),
    Mutant("an interval has no last instant", PAIRING, "(_moved(rows.at, high), True)", "(_moved(rows.at, high), False)", JOINS),
    Mutant("a new left row meets only new right ones", INTERVAL, "for number, table in enumerate(tables[1]):", "for number, table in [(len(tables[1]) - 1, new[1])]:", JOINS),
    Mutant("a new right row meets no left one that was held", INTERVAL, "enumerate(tables[0][:-1])", "enumerate(tables[0][:0])", JOINS),
    Mutant("what was joined is given alone as well", INTERVAL, "np.add.at(self.marks[table], rows, sign)", "np.add.at(self.marks[table], rows, 0)", JOINS),
    Mutant("what nothing joins is given an instant too soon", WAITING, "else table.until < watermark", "else table.until <= watermark", JOINS),
    Mutant("rows that are to be given alone do not hold the watermark", INTERVAL, "rows, min(w1, hold)", "rows, w1", JOINS),
    Mutant("left rows that wait do not hold the watermark", ASOF, "AsofState(waiting, kept), rows, min(w1, hold), errors", "AsofState(waiting, kept), rows, w1, errors", JOINS),
    Mutant("a row of the same instant is not as of it", ASOF, "((wanted, equal) for equal in sought)", "((wanted, False) for equal in sought)", JOINS),
    Mutant("of two that are as near the later is taken", ASOF, "far[0] > far[1]", "far[0] >= far[1]", JOINS),
    Mutant("a tolerance has no last instant", ASOF, "> max(-step.within[0], step.within[1])", ">= max(-step.within[0], step.within[1])", JOINS),
    Mutant("the newest row is let go", ASOF, "    over = table.until\n", "    over = table.at - 1\n", JOINS),
    Mutant("rows that others replaced are held", ASOF, "np.where(following, np.minimum(over[:-1], replaced), over[:-1])", "over[:-1]", HELD),
    Mutant("rows of an interval are held for ever", WAITING, "    left = table.where(~over_by(table, watermark))\n", "    left = table\n", HELD),
    Mutant("keys of one hash are one key, within an interval", PAIRING, "    return (mine, theirs) if same.all() else (mine[same], theirs[same])\n", "    return mine, theirs\n", HELD),
    Mutant("keys of one hash are one key, as of a time", ASOF, "wrong = nearest.others(left, tables, step.keys)", "wrong = nearest.row[:0]", HELD),
    Mutant("a time before all of a table is that of its first row", PAIRING, "before = int(table.at.min()) - 1", "before = int(table.at.min())", PAIRS),
    Mutant("of rows in several tables the older one's is the nearest", ASOF, "new[at] = _less(two, one) if last else _less(one, two)", "new[at] = False", HELD),
    Mutant("rows that were held are not given alone", INTERVAL, "    over = by[begin:end]\n", "    over = by[end:end]\n", JOINS),
    Mutant("rows that were held and are to be given alone do not hold the watermark", INTERVAL, "while end < len(by) and first == MAX_TIME:", "while False:", JOINS),
    Mutant("a late row is joined with no row before it", JOINED, "sides.append(joined([late[side], *known]))", "sides.append(joined([late[side], *known[:0]]))", JOINS),
    Mutant("a late row makes all keys of its window fire", JOINED, "        here = touched[number]\n", "        here = touched[number] | True\n", JOINS),
    Mutant("rows of one joined pane do not stand together", PAIRING, "by_left, by_right = order(left), order(right)", "by_left, by_right = np.arange(len(left)), order(right)", PAIRS),
    Mutant("discarding, all pairs are given again", JOINED, "at_left, at_right = at_left[new], at_right[new]", "pass", JOINS),
    Mutant("a row that comes after the watermark is joined", "flower/engine/side.py", "gone = met > batch.time", "gone = met > met", JOINS),
    Mutant("dropped rows of the right are told as of the left", "flower/engine/joint.py", 'which = pa.array([("left", "right")[side]] * n', 'which = pa.array([("left", "right")[0]] * n', JOINS),
    Mutant("a row that is taken back stays", WAITING, "stands: Bools = rank >= taken[number]", "stands: Bools = rank >= 0", JOINS),
    Mutant("all equal rows are taken back at once", WAITING, "stands: Bools = rank >= taken[number]", "stands: Bools = taken[number] == 0", JOINS),
    Mutant("what is taken back leaves what it was joined to", INTERVAL, "batches.append(_rows(step, gone[0], table, mine, theirs, back=True))", "pass", JOINS),
    Mutant("a row whose partner is taken back is not alone again", INTERVAL, "theirs, -1)", "theirs, 0)", JOINS),
    Mutant("a row that may still be taken back is let go", "flower/engine/side.py", "else max(ahead, 0))", "else ahead)", JOINS_AGREE),
    Mutant("a first pane that was late is taken back as on time", JOINED, "marked(-panes[number[:n]] - 1)", "marked(panes[number[:n]] + 1)", JOINS),
    Mutant("a joined pane is taken back with its late rows", JOINED, "            here[:n] = False\n", "            pass\n", JOINS),
    Mutant("rows that are taken back are joined in windows", JOINED, "(settled(rows, same) for rows, same in", "(rows for rows, same in", JOINS),
    Mutant("a version that is taken back is valid", ASOF, "known, right = _net(known, right, step.same[1])", "right = right.where(np.ones(len(right), np.bool_) if right.back is None else ~right.back)", JOINS),
    Mutant("of a key's rows in a window the first is taken", INWINDOW, 'last = np.searchsorted(theirs, mine, side="right") - 1', 'last = np.searchsorted(theirs, mine, side="left")', ENRICHED),
    Mutant("of rows of one time any is the newest", INWINDOW, "np.lexsort((right.position, right.partition, right.mark, right.time, theirs))", "np.lexsort((right.position, right.partition, -right.mark, right.time, theirs))", ("tests/test_join_transcripts.py", "tests/equivalence/test_joins_agree.py")),
    Mutant("of a window's rows the first is kept", INWINDOW, "return table.where(~replaced)", "return table.where(~np.roll(replaced, 1))", ENRICHED),
    Mutant("rows that wait for a table do not hold the watermark", INWINDOW, "rows, min(w1, hold))", "rows, w1)", JOINS),
    Mutant("a row that waits is not asked when rows of its key come", INWINDOW, "asks |= True if table is left else np.isin(table.hash, right.hash)", "asks |= table is left", ENRICHED),
    Mutant("rows wait for a window's end an instant too long", INWINDOW, "        asks = table.until <= w1\n", "        asks = table.until < w1\n", ENRICHED),
    Mutant("windows of a table are held for ever", INWINDOW, "    over = table.until <= gone\n", "    over = table.until < 0\n", HELD),
    Mutant("rows look into the window of their time, not of their window", "flower/engine/side.py", "            time = end - 1\n", "            pass\n", ENRICHED),
    Mutant("rows that find no version are given by an inner enrichment", ASOF, "at = by if step.kept(0) else by[pick[by] >= 0]", "at = by", ENRICHED),
    Mutant("keys of one hash are one key of a table", "flower/engine/tables.py", "same = np.ones(len(asked), np.bool_) if alike else _same(wanted.keys, asked, index.keys, there)", "same = np.ones(len(asked), np.bool_)", ("tests/engine/test_enriching.py",)),
    Mutant("a key that a table has twice is one", "flower/engine/tables.py", "    if count.max() > 1:\n", "    if False:\n", ("tests/engine/test_enriching.py",)),
    Mutant("an aggregate of one stream takes the rows of all", "flower/model/combiners/of_side.py", "at = np.flatnonzero(np.asarray(side) == self.side)", "at = np.arange(len(codes))", COGROUPED),
    Mutant("aggregates of two streams that are alike are one", "flower/model/combiners/of_side.py", "return (self.side, self.others, self.of.basis)", "return (len(self.others), self.of.basis)", COGROUPED),
    Mutant("a function gets the frame of another stream", "flower/graph/cogrouping.py", "mine = frame[side == number]", "mine = frame[side != number]", COGROUPED),
    # Combiners
    Mutant("a combiner forgets what a value taken back leaves", COUNTED, "there = counts > 0", "there = counts > 1", COMBINERS),
    Mutant("a combiner's quantile is that of the value below", COUNTED, "np.where(below == above, below, below + (above - below) * (place - low))", "below", COMBINERS),
    Mutant("a combiner's mode is the rarest value", COUNTED, "np.lexsort((-rows.counts, rows.group))", "np.lexsort((rows.counts, rows.group))", COMBINERS),
    Mutant("a combiner of the top counts equal values once", "flower/model/combiners/chosen.py", "np.clip(self.n - before, 0, counts)", "np.clip(self.n - before, 0, 1)", COMBINERS),
    Mutant("a combiner of weights counts rows without a weight", "flower/model/combiners/several.py", "        for part in (values, weights):\n", "        for part in (values,):\n", ("tests/api/test_own_combiners.py",)),
    # Apply
    Mutant("apply gives rows in the order in which they came", ROWS, "        order = np.lexsort(keys[::-1])\n        if not", "        order = np.lexsort(keys[:1])\n        if not", APPLY),
    Mutant("apply puts rows of merged parts into other groups", ROWS, "_appended(state, codes[group], columns)", "_appended(state, group, columns)", (*APPLY, *AGREE)),
    Mutant("apply forgets the rows that a group has", ROWS, "group = np.concatenate((group, codes))", "group = np.concatenate((group, codes)) * 0", APPLY),
    Mutant("apply orders equal places by nothing", ROWS, "if not _distinct(keys, order):", "if False:", APPLY),
    Mutant("apply gives a pane's columns to the rows of another", ROWWISE, "np.repeat(np.arange(len(batch)), made)", "np.repeat(np.arange(len(batch))[::-1], made)", APPLY),
    Mutant("apply loses the error of a group", ROWWISE, "            failures.append((i, i + 1, error))\n            continue\n        made[i] = len(parts[-1])", "            continue\n        made[i] = len(parts[-1])", APPLY),
    Mutant("apply shows one row of the last pane", "flower/engine/results.py", "isinstance(source, Apply)", "False", APPLY),
    Mutant("apply shows the rows of all panes", "flower/model/panes.py", "(pane == last[window])", "(pane >= 0)", APPLY),
    Mutant("apply says that the error of a group came from a row", ROWWISE, "nowhere = constant(-1, len(batch))", "nowhere = constant(0, len(batch))", APPLY),
    Mutant("apply takes the names of keys", "flower/graph/nodes.py", "if name in (*self.panes.names, *PANE_COLUMNS)]", "if name in PANE_COLUMNS]", APPLY),
    # Code with state and timers
    Mutant("code with state gets rows in the order in which they came", PROCESSED, "np.lexsort((batch.position, batch.partition, batch.time, encoded.codes))", "np.argsort(encoded.codes, kind=\"stable\")", CODE),
    Mutant("code with state does not see what it remembered", PROCESSED, "            place[which] = filled + np.arange(len(which))\n", "            pass\n", CODE),
    Mutant("code with state is remembered twice", PROCESSED, "            left[number] = table.without(where)\n", "            pass\n", CODE),
    Mutant("code with state: a timer stays set when it has fired", PROCESSED, "            tables[number] = table.without(at)\n", "            pass\n", CODE),
    Mutant("code with state: a timer that is set holds nothing", PROCESSED, "calls.batch(), min(w1, _hold(then))", "calls.batch(), w1", CODE),
    Mutant("code with state: timers that wait hold nothing in an epoch without rows", PROCESSED, "min(w1, _hold(state.tables))", "w1", CODE),
    Mutant("code with state is called for the rows of an epoch in a batch", PROCESSED, "if step.batch and w1 < MAX_TIME:", "if False:", CODE),
    Mutant("code with state: timers fire after the watermark has passed them only", KEPT, "        asked |= time <= limit\n", "        asked |= time < limit\n", CODE),
    Mutant("code with state: timers of records that are gone fire", KEPT, "return np.flatnonzero(asked & table.live)", "return np.flatnonzero(asked)", (*CODE, "tests/engine/test_kept.py")),
    Mutant("code with state: keys of one hash are one key", KEPT, "        if not exact and len(asking):\n", "        if False:\n", ("tests/engine/test_kept.py",)),
    Mutant("code with state: what is gone holds the watermark", KEPT, "int(column[live].min(initial=NEVER))", "int(column.min(initial=NEVER))", ("tests/engine/test_kept.py",)),
    Mutant("code with state: tables are never merged", KEPT, "if after is not None and alive < 2 * len(after):", "if False:", ("tests/engine/test_kept.py",)),
    Mutant("code with state: timers of a key fire in order of name", CALLING, "first, which = waiting.min(axis=0), waiting.argmin(axis=0)", "first, which = waiting.min(axis=0), (waiting != NEVER).argmax(axis=0)", CODE),
    Mutant("code with state: what timers set waits for the next epoch", CALLING, "        while len(who) and limits:", "        for _ in range(1 if limits else 0):", CODE),
    Mutant("code with state: timers of processing time fire by the watermark", PROCESSING, "watermark if domain == \"event\" else now for", "watermark for", CODE),
    Mutant("code with state: timers of processing time wait when the stream has ended", PROCESSING, "MAX_TIME - 1 if over else watermark", "watermark", CODE),
    Mutant("code with state: a timer of processing time holds at its own time", CALLING, "held = time if self.step.timers[number][1] == \"event\" else event", "held = time", CODE),
    Mutant("code with state: what a timer gives is of no time", CALLING, "event = time if domain == \"event\" else self.holds[number][who]", "event = time", CODE),
    Mutant("code with state keeps what a call that fails has changed", CALLING, "values = {name: kind.copied(self._values[i][name]) for", "values = {name: self._values[i][name] for", CODE),
    Mutant("code with state: timers have no end", CALLING, "over = fired[who] > FIRINGS", "over = fired[who] > 50 * FIRINGS", ("tests/api/test_process.py",)),
    Mutant("code with state: a row that is too late is processed", PROCESSING, "gone = late & (met > later(batch.time, step.allowed_lateness_us))", "gone = late & False", CODE),
    Mutant("code with state for many keys: rows go to other keys", VECTORISED, "self.give(mine[made.whose], then[made.whose], made.rows)", "self.give(np.sort(mine[made.whose]), then[made.whose], made.rows)", ("tests/api/test_process.py", *CODE)),
    Mutant("code with state for many keys: a timer set again holds as before", VECTORISED, "self.holds[number][at] = self.hold_of(number, time[changed], then[changed])", "pass", CODE),
    Mutant("code with state: a schema of state may change", "flower/engine/recovery.py", "    told |= {f\"state {name!r}\": repr(kind) for name, kind in step.state}\n", "", ("tests/recovery/test_processes.py",)),
    Mutant("code with state: columns are kept as they are declared", "flower/engine/job.py", "tuple(sorted(node.state, key=lambda each: each[0]))", "node.state", ("tests/recovery/test_processes.py",)),
    # What takes back rows that never came
    Mutant("never there: a join within an interval forgets it", INTERVAL, "never([table.where(table.time < w1)], step", "never([table.where(table.time > MAX_TIME)], step", NEVER),
    Mutant("never there: a join in windows tells it as soon as a window has passed", JOINED, "ended, still = _split(passed[side], gone)", "ended, still = _split(passed[side], w1)[0], _split(passed[side], gone)[1]", NEVER),
    Mutant("never there: a join in windows tells of what has taken back a row", JOINED, "standing(whole, same) & back", "back", NEVER),
    Mutant("never there: an as-of join tells it too early", "flower/engine/asof.py", "_owed(table) & (table.time < w1)", "_owed(table)", NEVER),
    Mutant("never there: a left row of an as-of join that was taken back is told of", "flower/engine/asof.py", "standing(asked, step.same[0]) & _owed(asked)", "_owed(asked)", NEVER),
    Mutant("never there: a group of which less came than was taken back gives a pane", PANES, "firing.fired & (groups.net <= 0)", "firing.fired & (groups.net == 0)", NEVER),
    Mutant("never there: a group of which less came than was taken back is not told of", PANES, "firing.fired & (groups.net < 0)", "firing.fired & (groups.net < -9)", NEVER),
    # Sketches of rows that were given
    Mutant("a sketch forgets what it held", BLOOM, "        set_ = (each.words[word] & bit) != 0\n", "        set_ = (each.words[word] & bit) != 0\n        set_[::97] = False\n", SKETCHED),
    Mutant("a sketch has too few bits", BLOOM, "math.ceil(-math.log2(error)) + len(before) + 1", "max(1, math.ceil(-math.log2(error)) - 4)", SKETCHED),
    Mutant("a sketch is asked about one slice only", BLOOM, "sorted(range(-reach, reach + 1), key=abs)", "range(1)", SKETCHED),
    Mutant("a sketch knows no slices", BLOOM, "return _mixed(mixed + slices.view(np.uint64) * np.uint64(0xD1342543DE82EF95))", "return _mixed(mixed)", SKETCHED),
    Mutant("a sketch takes a key in a slice for the other way round", BLOOM, "return _mixed(mixed + slices.view(np.uint64) * np.uint64(0xD1342543DE82EF95))", "return _mixed(mixed + _mixed(slices.view(np.uint64)))", SKETCHED),
    Mutant("a sketch is changed where it is", BLOOM, "words = last.words.copy()", "words = last.words", SKETCHED),
    Mutant("a sketch takes more than it has room for", BLOOM, "if not grown or grown[-1].count >= grown[-1].capacity:", "if not grown:", SKETCHED),
    Mutant("a sketch goes too early", BLOOM, "if each.last >= least)", "if each.last > least)", SKETCHED),
    Mutant("a sketch never goes", BLOOM, "if each.last >= least)", "if True)", SKETCHED),
    Mutant("a sketch of rows that wait for nobody forgets them at once", DEDUPLICATION, "least = w1 // step.slice - step.reach", "least = w1 // step.slice + 1", SKETCHED),
    Mutant("rows of one epoch are told apart by their times, not their slices", DEDUPLICATION, "new.time[among] // step.slice\n", "new.time[among]\n", SKETCHED),
    # Models that learn
    Mutant("a model learns from a row that others of its time may precede", LEARNING, "passed = piece.batch.time < w1", "passed = piece.batch.time <= w1", LEARNT),
    Mutant("a model learns at once where rows wait", LEARNING, "not (step.waits or step.batch)", "not step.batch", LEARNT),
    Mutant("a model learns before it is asked", LEARNING, "        answer = fit(self._predict(x, y), self.step)\n        if self.step.y is None or y is not None:\n            self._learn(x, y)\n        return answer", "        if self.step.y is None or y is not None:\n            self._learn(x, y)\n        return fit(self._predict(x, y), self.step)", LEARNT),
    Mutant("a model learns from a label that is missing", LEARNING, "        if self.step.y is None or y is not None:\n            self._learn(x, y)", "        self._learn(x, y)", LEARNT),
    Mutant("a row that fails half way stays in the model", LEARNING, "            self._again()\n            raise", "            raise", ("tests/api/test_learning.py",)),
    Mutant("rows before one that fails are forgotten", LEARNING, "        for x, y in self._since:\n            self._answer(x, y)\n", "", ("tests/api/test_learning.py",)),
    Mutant("a mini-batch that fails stays in the model", LEARNING, "            self._load()\n            return None", "            return None", (*LEARNT, "tests/api/test_learning.py")),
    Mutant("keys share a model", LEARNING, "step.model.data if not data.is_valid else", "known.values[0][0].as_py() or step.model.data if not data.is_valid else", LEARNT),
    Mutant("what a model has learnt is forgotten after an epoch", LEARNING, "models.append(model.written() if mine else data.as_py())", "models.append(data.as_py())", LEARNT),
    Mutant("a row too late for a model is taken", LEARNING, "return 0 if self.waits else MAX_TIME", "return MAX_TIME", LEARNT),
    Mutant("rows without a feature reach the model", LEARNING, "        good &= ~none\n", "", LEARNT),
    Mutant("bytes name what a module of river has imported", MODELS, "callable(found) and found.__module__ == module and found.__qualname__ == name", "callable(found)", ("tests/api/test_learning.py",)),
    Mutant("bytes name anything", MODELS, "        raise pickle.UnpicklingError(f\"{module}.{name} is no part", "        return super().find_class(module, name)\n        raise pickle.UnpicklingError(f\"{module}.{name} is no part", ("tests/api/test_learning.py",)),
    Mutant("bytes get any attribute", MODELS, "    if not own or name.startswith(\"__\") or", "    if", ("tests/api/test_learning.py",)),
    Mutant("models are stored though nobody said so", "flower/engine/embedded.py", "            if self._recovery is not None:\n                require", "            if False:\n                require", ("tests/recovery/test_learning.py",)),
    Mutant("models are read by another version of river", "flower/engine/recovery.py", "        \"version of river\": step.model.version,\n", "", ("tests/recovery/test_learning.py",)),
    # Retractions
    Mutant("a retraction does not come before its replacement", PANES, "return Batch.concat([old, new]), kept", "return new, kept", RETRACT),
    Mutant("a retraction has the values of the new pane", "flower/engine/standing.py", "new = _kept(panes, keys)\n", "new = _kept(panes.slice(0, len(panes)), keys) if len(panes) < 1 else _kept(pa.RecordBatch.from_arrays([c.take(pa.array([0] * len(panes))) for c in panes.columns], schema=panes.schema), keys)\n", RETRACT),
    Mutant("retractions are added", LIFT, "states = law.aggregates.subtract(states, codes[back], some.rows, _order(some))", "states = law.aggregates.add(states, codes[back], some.rows, _order(some))", RETRACT),
    Mutant("rows that retractions take back are counted", LIFT, "np.bincount(codes[new], minlength=size) - np.bincount(codes[back], minlength=size)", "np.bincount(codes[new], minlength=size)", RETRACT),
    Mutant("a group without rows gives a pane", PANES, "else firing.fired & (groups.net <= 0)", "else firing.fired & (groups.net < 0)", RETRACT),
    Mutant("panes of absorbed sessions are not taken back", "flower/engine/standing.py", "kept = np.flatnonzero(np.repeat(~which, counts))", "kept = np.flatnonzero(np.repeat(which, counts))", RETRACT),
    Mutant("a pane and its retraction are admitted each by its own", LIFT, "        if step.law.net and batch.oldest is not None:\n", "        if False:\n", RETRACT),
    Mutant("a retraction stays in the view", "flower/model/panes.py", "        if RETRACTION in schema.names:\n            standing", "        if False:\n            standing", RETRACT),
    Mutant("a retraction is not told as one", "flower/engine/standing.py", "known[RETRACTION] = pa.repeat(pa.scalar(True), len(flat))", "known[RETRACTION] = pa.repeat(pa.scalar(False), len(flat))", RETRACT),
)  # fmt: skip
