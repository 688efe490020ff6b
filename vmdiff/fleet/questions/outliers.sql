-- Hosts that hold far more or less of an owner's memory than the others: a robust z-score, the distance
-- to the median in median absolute deviations (times 1.4826, which makes them standard deviations of a
-- normal distribution: Iglewicz and Hoaglin 1993, who call 3.5 an outlier).
with last_seen as (
    select host, process, pid, max(taken_at) as taken_at
    from pieces
    group by host, process, pid
),
held as (
    select
        p.host,
        p.process,
        p.who,
        case when count(p.rss) = count(*) then cast(sum(p.rss) as bigint) end as rss
    from pieces p
    join last_seen l
        on p.host = l.host and p.process = l.process and p.pid = l.pid and p.taken_at = l.taken_at
    group by p.host, p.process, p.who
),
middle as (
    select process, who, median(rss) as middle, count(rss) as hosts
    from held
    group by process, who
),
spread as (
    select h.process, h.who, median(abs(h.rss - m.middle)) as deviation
    from held h
    join middle m on h.process = m.process and h.who = m.who
    group by h.process, h.who
),
scored as (
    select
        h.host,
        h.process,
        h.who,
        h.rss,
        m.middle,
        m.hosts,
        -- A deviation of less than a page and a hundredth of the median is no measure of spread.
        (h.rss - m.middle) / (1.4826 * greatest(s.deviation, 4096, abs(m.middle) / 100)) as z
    from held h
    join middle m on h.process = m.process and h.who = m.who
    join spread s on h.process = s.process and h.who = s.who
    where m.hosts >= 5 and h.rss is not null
),
ranked as (
    select *, row_number() over (order by abs(rss - middle) desc, host, process, who) as place
    from scored
    where abs(z) >= 3.5 and abs(rss - middle) >= 1048576
)
select
    place,
    host,
    process,
    who,
    cast(rss as bigint) as rss,
    cast(round(middle) as bigint) as median_rss,
    hosts,
    cast(round(z) as bigint) as z
from ranked
where place <= (select most from parameters)
order by place
