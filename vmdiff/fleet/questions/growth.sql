-- What grew between two values of a tag, such as two versions: the last snapshot of each host and
-- process under either value. Ranked by the share of hosts that grew, then by the median: by the mean,
-- the noise of the largest owner wins.
with last_seen as (
    select
        p.host,
        p.process,
        p.tag,
        case when p.tag = q.tag_before then 'before' else 'after' end as side,
        max(p.taken_at) as taken_at
    from pieces p
    cross join parameters q
    where p.tag = q.tag_before or p.tag = q.tag_after
    group by p.host, p.process, p.tag, q.tag_before
),
held as (
    select
        p.host,
        p.process,
        l.side,
        p.who,
        case when count(p.rss) = count(*) then cast(sum(p.rss) as bigint) end as rss
    from pieces p
    join last_seen l
        on p.host = l.host and p.process = l.process and p.tag = l.tag and p.taken_at = l.taken_at
    group by p.host, p.process, l.side, p.who
),
both_sides as (
    select host, process
    from last_seen
    group by host, process
    having count(*) = 2
),
owners as (
    select distinct h.host, h.process, h.who
    from held h
    join both_sides b on h.host = b.host and h.process = b.process
),
moved as (
    select
        o.host,
        o.who,
        -- Without a row on a side there was none of it; a row without a number is unknown and stays so.
        case when a.who is null then 0 else a.rss end - case when b.who is null then 0 else b.rss end as delta
    from owners o
    left join held b on o.host = b.host and o.process = b.process and o.who = b.who and b.side = 'before'
    left join held a on o.host = a.host and o.process = a.process and o.who = a.who and a.side = 'after'
),
compared as (
    select *, max(delta) over (partition by who) as largest
    from moved
    where delta is not null
),
by_owner as (
    select
        who,
        count(*) as hosts,
        count(*) filter (where delta > 0) as grew,
        cast(round(median(delta)) as bigint) as median_delta,
        cast(sum(delta) as bigint) as delta,
        cast(max(delta) as bigint) as largest_delta,
        min(case when delta = largest then host end) as largest_host
    from compared
    group by who
),
ranked as (
    select
        *,
        cast(round(100 * grew / hosts) as bigint) as grew_percent,
        row_number() over (order by grew / hosts desc, median_delta desc, who) as place
    from by_owner
    where median_delta > 0
)
select place, who, hosts, grew, grew_percent, median_delta, delta, largest_delta, largest_host
from ranked
where place <= (select most from parameters)
order by place
