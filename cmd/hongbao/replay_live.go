package main

import (
	"context"
	"path/filepath"

	"hongbao/internal/replay"
)

// shadowDir is the shadow store's place in a data directory.
const shadowDir = "shadow"

// replayGroup are the partitions of one shadow store, with the live side of it.
type replayGroup struct {
	dir        string
	partitions []int32
	live       replay.Live
}

func (a *app) replayGroups(_ context.Context, f *replayFlags, chosen []int32, _ int32) ([]replayGroup, func(), error) {
	dir := f.into
	if dir == "" {
		dir = filepath.Join(a.cfg.Data, shadowDir)
	}
	return []replayGroup{{dir: dir, partitions: chosen}}, func() {}, nil
}
