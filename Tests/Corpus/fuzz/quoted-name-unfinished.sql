 DEALLOCATE k"pg_advisory_unlock--"
(15)(1, "pg_advisory_unlock