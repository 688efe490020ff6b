-- Which hosts map a file, and which builds of it.
with mapped as (
    select distinct host, process, path, build_id
    from pieces
    cross join parameters q
    where path like q.path_like escape '!'
),
by_build as (
    select
        path,
        build_id,
        count(distinct host) as hosts,
        count(*) as processes,
        min(host) as first_host
    from mapped
    group by path, build_id
),
ranked as (
    select
        *,
        row_number() over (order by hosts desc, path, coalesce(build_id, '')) as place
    from by_build
)
select place, path, build_id, hosts, processes, first_host
from ranked
where place <= (select most from parameters)
order by place
