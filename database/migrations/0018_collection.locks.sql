-- Pushes and deletions come to the queue last, through triggers; deletions come to tags before manifests.
LOCK TABLE registry.tags, registry.manifests IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE registry.tombstones, registry.gc_queue IN ACCESS EXCLUSIVE MODE;
