-- What holds the most memory now, over all hosts: the last snapshot of each process, by owner.
with last_seen as (
    select host, process, pid, max(taken_at) as taken_at
    from pieces
    group by host, process, pid
),
held as (
    select
        p.host,
        p.who,
        case when count(p.rss) = count(*) then cast(sum(p.rss) as bigint) end as rss,
        case when count(p.swap) = count(*) then cast(sum(p.swap) as bigint) end as swap
    from pieces p
    join last_seen l
        on p.host = l.host and p.process = l.process and p.pid = l.pid and p.taken_at = l.taken_at
    group by p.host, p.who
),
compared as (
    select *, max(rss) over (partition by who) as largest
    from held
),
by_owner as (
    select
        who,
        count(*) as hosts,
        cast(sum(rss) as bigint) as rss,
        cast(sum(swap) as bigint) as swap,
        cast(round(median(rss)) as bigint) as median_rss,
        cast(max(rss) as bigint) as largest_rss,
        min(case when rss = largest then host end) as largest_host
    from compared
    group by who
),
ranked as (
    select *, row_number() over (order by rss desc, who) as place
    from by_owner
    where rss is not null
)
select place, who, hosts, rss, swap, median_rss, largest_rss, largest_host
from ranked
where place <= (select most from parameters)
order by place
