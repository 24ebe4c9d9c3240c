-- Where exports may be sent.

CREATE TABLE storage_locations (     -- nothing leaves the house but to an address below one of these
  tenant_id ID NOT NULL,
  location_id ID NOT NULL,
  display_name TEXT NOT NULL,
  url_prefix TEXT NOT NULL,          -- an https origin and the beginning of a path: whole segments
  created_at TIME NOT NULL,
  PRIMARY KEY (tenant_id, location_id)
) STRICT;
CREATE UNIQUE INDEX storage_locations_by_url ON storage_locations (tenant_id, url_prefix);
