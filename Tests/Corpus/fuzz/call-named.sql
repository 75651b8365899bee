SELECT pg_catalog . "set_config" /* ( */ --
(is_local => false, new_value => 'b', setting_name => 'a')