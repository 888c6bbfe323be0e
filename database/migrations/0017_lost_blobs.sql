-- A blob whose object an audit (`transship storage verify --repair`) found missing or damaged: nobody is
-- told that it is here, so that whoever has it pushes it again, and the new object takes its place.
ALTER TABLE registry.blobs ADD COLUMN lost_at timestamptz;
CREATE INDEX blobs_lost ON registry.blobs (id) WHERE lost_at IS NOT NULL;
