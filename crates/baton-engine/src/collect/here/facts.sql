-- What is compared of a PostgreSQL database: each row is one line of JSON,
-- [kind, name, text] or [kind, name, text, attribute]. The server renders its
-- objects itself, so that what means the same reads the same. What extensions
-- brought is the extensions' to vary.
select json_build_array('setting', name, setting) from pg_settings
  where context <> 'internal' and source <> 'session'
    and name not in ('application_name', 'client_min_messages', 'statement_timeout', 'lock_timeout', 'default_transaction_read_only', 'extra_float_digits',
      'client_encoding', 'data_directory', 'config_file', 'hba_file', 'ident_file', 'external_pid_file', 'primary_conninfo', 'primary_slot_name',
      'krb_server_keyfile', 'ssl_passphrase_command', 'log_directory', 'log_filename', 'dynamic_library_path', 'unix_socket_directories',
      'shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries', 'restore_command', 'archive_command', 'archive_cleanup_command',
      'recovery_end_command', 'recovery_target_xid', 'recovery_target_time', 'recovery_target_lsn', 'recovery_target_name', 'promote_trigger_file')
    and name !~ '^transaction_';
select json_build_array('setting', name, setting) from pg_settings
  where name in ('server_version', 'server_encoding', 'lc_collate', 'lc_ctype', 'data_checksums', 'wal_segment_size', 'block_size');
select json_build_array('database', 'collation', datcollate || ' ' || datctype || ' ' || pg_encoding_to_char(encoding)) from pg_database where datname = current_database();
select json_build_array('extension', extname, extversion) from pg_extension;
select json_build_array('role', rolname, concat_ws(' ', case when rolsuper then 'superuser' end, case when rolcanlogin then 'login' end,
    case when rolcreatedb then 'createdb' end, case when rolcreaterole then 'createrole' end, case when rolreplication then 'replication' end,
    case when rolbypassrls then 'bypassrls' end, case when rolconnlimit >= 0 then 'limit ' || rolconnlimit end,
    'member of ' || nullif((select string_agg(g.rolname, ',' order by g.rolname) from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid), '')))
  from pg_roles r where rolname !~ '^pg_';
select json_build_array('schema', nspname, 'owner ' || pg_get_userbyid(nspowner) || coalesce(' ' || (select string_agg(a::text, ' ' order by a::text) from unnest(nspacl) a), ''))
  from pg_namespace where nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_';
select json_build_array(case relkind when 'r' then 'table' when 'p' then 'table' when 'f' then 'foreign-table' when 'v' then 'view' when 'm' then 'materialized-view' else 'sequence' end,
    name, case relkind when 'p' then 'partitioned ' || pg_get_partkeydef(r.oid)
      when 'v' then pg_get_viewdef(r.oid) when 'm' then pg_get_viewdef(r.oid)
      when 'S' then (select format_type(s.seqtypid, null) || ' by ' || s.seqincrement || ' from ' || s.seqmin || ' to ' || s.seqmax || case when s.seqcycle then ' cycle' else '' end from pg_sequence s where s.seqrelid = r.oid)
      else case relpersistence when 'u' then 'unlogged' else '' end end)
  from @RELATIONS@ r where relkind in ('r', 'p', 'f', 'v', 'm', 'S');
select json_build_array('table', name, 'owner ' || pg_get_userbyid(relowner) || coalesce(' ' || (select string_agg(a::text, ' ' order by a::text) from unnest(relacl) a), '')
      || case when relrowsecurity then ' row security' else '' end, 'grants')
  from @RELATIONS@ r where relkind in ('r', 'p', 'f', 'v', 'm', 'S');
select json_build_array('table', r.name, format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
      || coalesce(case when a.attgenerated <> '' then ' generated ' else ' default ' end || pg_get_expr(d.adbin, d.adrelid), '')
      || case a.attidentity when 'a' then ' identity always' when 'd' then ' identity' else '' end, 'column/' || a.attname)
  from @RELATIONS@ r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where r.relkind in ('r', 'p', 'f');
select json_build_array('constraint', r.name || '.' || c.conname, pg_get_constraintdef(c.oid) || case when c.convalidated then '' else ' not valid' end)
  from pg_constraint c join @RELATIONS@ r on r.oid = c.conrelid;
select json_build_array('index', r.name, pg_get_indexdef(r.oid) || case when i.indisvalid then '' else ' invalid' end) from @RELATIONS@ r join pg_index i on i.indexrelid = r.oid;
select json_build_array('trigger', r.name || '.' || t.tgname, pg_get_triggerdef(t.oid) || case t.tgenabled when 'D' then ' disabled' else '' end)
  from pg_trigger t join @RELATIONS@ r on r.oid = t.tgrelid where not t.tgisinternal;
select json_build_array('policy', p.schemaname || '.' || p.tablename || '.' || p.policyname, concat_ws(' ', p.permissive, p.cmd, p.roles::text, p.qual, p.with_check)) from pg_policies p;
select json_build_array('function', n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    case when p.prokind = 'a' then 'aggregate' else pg_get_functiondef(p.oid) end)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
    and not exists (select 1 from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e');
select json_build_array('type', n.nspname || '.' || t.typname, case t.typtype
    when 'e' then 'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
    else 'domain ' || format_type(t.typbasetype, t.typtypmod) || case when t.typnotnull then ' not null' else '' end || coalesce(' default ' || t.typdefault, '')
      || coalesce(' ' || (select string_agg(pg_get_constraintdef(c.oid), ' ' order by c.conname) from pg_constraint c where c.contypid = t.oid), '') end)
  from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typtype in ('e', 'd')
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
    and not exists (select 1 from pg_depend d where d.objid = t.oid and d.classid = 'pg_type'::regclass and d.deptype = 'e');
