SELECT E'a' -- '
'\'', set_config('a', 'b', false)