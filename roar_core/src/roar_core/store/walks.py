"""Walking lineage in SQL: who read what of whom, from some jobs on, as far as it goes.

Each step of a walk follows a recorded producer, a writer of members of a dataset, the task whose
result a job got, or the job that started a task. A job is visited once, whatever the depth and
whether or not there are cycles. The parts are separate recursive terms, because SQLite would build
a whole view of all passings first (80 ms with 100,000 edges, against 1 ms).

A row of a walk is a job and how far in it one is (ADR 0026). WHOLE: all that it did. STARTER: a
driver that was reached from a task it had started; what it read counts, for it may have passed any
of that on. The results it got count only as far as they came before that task began: a moment (ns)
stands for what a driver knew by then, or, downstream, for what it did from then on. Moments are
gone through one after the other, so that ten thousand tasks take ten thousand steps.
"""

from __future__ import annotations

WHOLE, STARTER = 0, -1
# Two nodes' clocks: what seems to have come less than this too late may have come in time.
CLOCKS_NS = 1_000_000_000

# `starts` is a SELECT of job ids, to be put in by `format`.
UPSTREAM = f"""
WITH RECURSIVE walk (job, moment) AS (
    SELECT started.*, {WHOLE} FROM ({{starts}}) started
    UNION
    SELECT edge.producer, {WHOLE} FROM walk CROSS JOIN edge
        ON edge.job = walk.job AND edge.direction = 0 AND edge.producer IS NOT NULL
        WHERE walk.moment <= 0
    UNION
    SELECT source.job, {WHOLE} FROM walk CROSS JOIN edge
        ON edge.job = walk.job AND edge.direction = 0 AND edge.kind = 'composite'
        JOIN composite_source source ON source.edge = edge.id
        WHERE walk.moment <= 0
    UNION
    SELECT need.producer, {WHOLE} FROM walk CROSS JOIN need ON need.job = walk.job
        WHERE walk.moment = {WHOLE} AND need.producer IS NOT NULL
    UNION
    SELECT driver.id, {STARTER} FROM walk CROSS JOIN job task ON task.id = walk.job
        JOIN job driver ON driver.uid = task.parent
        WHERE walk.moment = {WHOLE}
    UNION
    SELECT driver.id, (
            SELECT need.given_at_ns FROM need WHERE need.job = driver.id
            AND need.given_at_ns <= task.started_at_ns + {CLOCKS_NS}
            ORDER BY need.given_at_ns DESC LIMIT 1) AS known
        FROM walk CROSS JOIN job task ON task.id = walk.job
        JOIN job driver ON driver.uid = task.parent
        WHERE walk.moment = {WHOLE} AND known IS NOT NULL
    UNION
    SELECT need.producer, {WHOLE} FROM walk CROSS JOIN need INDEXED BY need_by_time
        ON need.job = walk.job AND need.given_at_ns = walk.moment
        WHERE walk.moment > 0 AND need.producer IS NOT NULL
    UNION
    SELECT walk.job, (
            SELECT need.given_at_ns FROM need WHERE need.job = walk.job
            AND need.given_at_ns < walk.moment ORDER BY need.given_at_ns DESC LIMIT 1) AS before
        FROM walk WHERE walk.moment > 0 AND before IS NOT NULL
)
"""  # noqa: S608 (constants)
DOWNSTREAM = f"""
WITH RECURSIVE walk (job, moment) AS (
    SELECT started.*, {WHOLE} FROM ({{starts}}) started
    UNION
    SELECT edge.job, {WHOLE} FROM walk CROSS JOIN edge ON edge.producer = walk.job
        JOIN job ON job.id = edge.job AND job.undone_at_ns IS NULL
        WHERE walk.moment <= 0
    UNION
    SELECT edge.job, {WHOLE} FROM walk CROSS JOIN composite_source source ON source.job = walk.job
        JOIN edge ON edge.id = source.edge
        JOIN job ON job.id = edge.job AND job.undone_at_ns IS NULL
        WHERE walk.moment <= 0
    UNION
    SELECT task.id, {WHOLE} FROM walk CROSS JOIN job driver ON driver.id = walk.job
        JOIN job task ON task.parent = driver.uid AND task.undone_at_ns IS NULL
        WHERE walk.moment = {WHOLE}
    UNION
    SELECT need.job, CASE WHEN need.given_at_ns IS NULL THEN {WHOLE} ELSE {STARTER} END
        FROM walk CROSS JOIN need ON need.producer = walk.job
        JOIN job ON job.id = need.job AND job.undone_at_ns IS NULL
        WHERE walk.moment = {WHOLE}
    UNION
    SELECT driver.id, (
            SELECT task.started_at_ns FROM job task WHERE task.parent = driver.uid
            AND task.started_at_ns >= need.given_at_ns - {CLOCKS_NS}
            ORDER BY task.started_at_ns LIMIT 1) AS began
        FROM walk CROSS JOIN need ON need.producer = walk.job AND need.given_at_ns IS NOT NULL
        JOIN job driver ON driver.id = need.job AND driver.undone_at_ns IS NULL
        WHERE walk.moment = {WHOLE} AND began IS NOT NULL
    UNION
    SELECT task.id, {WHOLE} FROM walk CROSS JOIN job driver ON driver.id = walk.job
        JOIN job task ON task.parent = driver.uid AND task.started_at_ns = walk.moment
        AND task.undone_at_ns IS NULL
        WHERE walk.moment > 0
    UNION
    SELECT walk.job, (
            SELECT task.started_at_ns FROM job task WHERE task.parent = driver.uid
            AND task.started_at_ns > walk.moment ORDER BY task.started_at_ns LIMIT 1) AS later
        FROM walk CROSS JOIN job driver ON driver.id = walk.job
        WHERE walk.moment > 0 AND later IS NOT NULL
)
"""  # noqa: S608 (constants)
# What passed between the jobs of a walk: consumer, producer, artifact, whether a result did; no
# artifact where that is so, or where a job merely started the other. `+` keeps SQLite from looking
# up each job of the walk for each of them.
LINKS = """
, walked (job) AS (SELECT DISTINCT job FROM walk)
SELECT edge.job, edge.producer, edge.artifact, 0 FROM walked CROSS JOIN edge
    ON edge.job = walked.job AND edge.direction = 0 AND edge.producer IS NOT NULL
    WHERE +edge.producer IN (SELECT job FROM walked)
UNION ALL
SELECT edge.job, source.job, edge.artifact, 0 FROM walked CROSS JOIN edge
    ON edge.job = walked.job AND edge.direction = 0 AND edge.kind = 'composite'
    JOIN composite_source source ON source.edge = edge.id
    WHERE +source.job IN (SELECT job FROM walked)
UNION ALL
SELECT need.job, need.producer, NULL, 1 FROM walked CROSS JOIN need ON need.job = walked.job
    WHERE +need.producer IN (SELECT job FROM walked)
UNION ALL
SELECT task.id, driver.id, NULL, 0 FROM walked CROSS JOIN job task ON task.id = walked.job
    JOIN job driver ON driver.uid = task.parent
    WHERE +driver.id IN (SELECT job FROM walked)
"""
