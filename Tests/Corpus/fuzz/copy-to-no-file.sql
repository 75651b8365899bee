COPY/*- */t
 TO''