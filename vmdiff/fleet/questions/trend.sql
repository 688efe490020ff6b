-- What grows over time on each host: a line through the resident memory of each owner of a process,
-- ranked by its slope times how well it fits, so that what only jumps about comes last. The column
-- series has the points ("time=bytes") for the verdict on whether the growth is steady.
with held as (
    select
        host,
        process,
        pid,
        who,
        taken_at,
        case when count(rss) = count(*) then cast(sum(rss) as bigint) end as rss
    from pieces
    where taken_at is not null
    group by host, process, pid, who, taken_at
),
lines as (
    select
        host,
        process,
        pid,
        who,
        count(*) as points,
        regr_slope(rss, taken_at) * 3600 as per_hour,
        regr_r2(rss, taken_at) as fit,
        min_by(rss, taken_at) as first_rss,
        max_by(rss, taken_at) as last_rss,
        array_agg(concat(cast(taken_at as string), '=', cast(rss as string))) as series
    from held
    where rss is not null
    group by host, process, pid, who
    having count(*) >= 3
),
ranked as (
    select *, row_number() over (order by per_hour * fit desc, host, process, pid, who) as place
    from lines
    where per_hour > 0
)
select
    place,
    host,
    process,
    pid,
    who,
    points,
    first_rss,
    last_rss,
    cast(round(per_hour) as bigint) as rss_per_hour,
    series
from ranked
where place <= (select 5 * most from parameters)
order by place
