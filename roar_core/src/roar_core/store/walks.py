"""Walking lineage in SQL: who read what of whom, from some jobs on, as far as it goes.

Each step of a walk follows a recorded producer, a writer of members of a dataset, or the job that
started a task. A job is visited once, whatever the depth and whether or not there are cycles. The
parts are separate recursive terms, because SQLite would build a whole view of all passings first
(80 ms with 100,000 edges, against 1 ms).
"""

from __future__ import annotations

# `starts` is a SELECT of job ids, to be put in by `format`.
UPSTREAM = """
WITH RECURSIVE walk (job) AS (
    {starts}
    UNION
    SELECT edge.producer FROM walk CROSS JOIN edge
        ON edge.job = walk.job AND edge.direction = 0 AND edge.producer IS NOT NULL
    UNION
    SELECT source.job FROM walk CROSS JOIN edge
        ON edge.job = walk.job AND edge.direction = 0 AND edge.kind = 'composite'
        JOIN composite_source source ON source.edge = edge.id
    UNION
    SELECT driver.id FROM walk CROSS JOIN job task ON task.id = walk.job
        JOIN job driver ON driver.uid = task.parent
)
"""
DOWNSTREAM = """
WITH RECURSIVE walk (job) AS (
    {starts}
    UNION
    SELECT edge.job FROM walk CROSS JOIN edge ON edge.producer = walk.job
        JOIN job ON job.id = edge.job AND job.undone_at_ns IS NULL
    UNION
    SELECT edge.job FROM walk CROSS JOIN composite_source source ON source.job = walk.job
        JOIN edge ON edge.id = source.edge
        JOIN job ON job.id = edge.job AND job.undone_at_ns IS NULL
    UNION
    SELECT task.id FROM walk CROSS JOIN job driver ON driver.id = walk.job
        JOIN job task ON task.parent = driver.uid AND task.undone_at_ns IS NULL
)
"""
# What passed between the jobs of a walk: consumer, producer, artifact; no artifact where a job
# merely started the other.
LINKS = """
SELECT edge.job, edge.producer, edge.artifact FROM walk CROSS JOIN edge
    ON edge.job = walk.job AND edge.direction = 0 AND edge.producer IS NOT NULL
    WHERE edge.producer IN (SELECT job FROM walk)
UNION ALL
SELECT edge.job, source.job, edge.artifact FROM walk CROSS JOIN edge
    ON edge.job = walk.job AND edge.direction = 0 AND edge.kind = 'composite'
    JOIN composite_source source ON source.edge = edge.id
    WHERE source.job IN (SELECT job FROM walk)
UNION ALL
SELECT task.id, driver.id, NULL FROM walk CROSS JOIN job task ON task.id = walk.job
    JOIN job driver ON driver.uid = task.parent
    WHERE driver.id IN (SELECT job FROM walk)
"""
