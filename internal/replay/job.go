package replay

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/projections"
)

// job is the replay of one partition.
type job struct {
	e      *Engine
	log    factLog
	goal   step
	from   step // where the shadow stands in the fact log
	result Result

	store  *eventstore.Partition
	state  *projections.State
	folder *Folder
}

// measure finds the goal, and what there is to fold, before any partition is folded.
func (j *job) measure(ctx context.Context) error {
	if err := j.log.look(ctx); err != nil {
		return err
	}
	var err error
	if j.goal, err = j.e.cfg.Target.find(ctx, &j.log); err != nil {
		return err
	}
	store, err := j.e.openShadow(j.log.partition)
	if err != nil {
		return err
	}
	err = j.stand(ctx, store)
	j.e.all.Add(j.goal.seq - j.from.seq)
	return errors.Join(err, store.Close())
}

// stand finds the shadow's place in the fact log, emptying it where it has none, or lies beyond the goal (R2).
func (j *job) stand(ctx context.Context, store *eventstore.Partition) error {
	last := store.Last()
	if last.Seq == 0 {
		return nil
	}
	if last.Seq <= j.goal.seq {
		at, err := j.log.at(ctx, last.Seq)
		if err != nil {
			return err
		}
		if at.seq > 0 && at.Hash == last.Hash {
			j.from = at
			return nil
		}
		j.e.cfg.Logger.Warn("the shadow store is of another history and begins anew", "partition", j.log.partition, "seq", last.Seq, "hash", fmt.Sprintf("%x", last.Hash))
	}
	return store.Reset()
}

func (j *job) run(ctx context.Context) error {
	var err error
	if j.store, err = j.e.openShadow(j.log.partition); err != nil {
		return err
	}
	err = j.rebuild(ctx)
	j.e.folded()
	if err == nil && j.e.cfg.Compare {
		err = j.compare(ctx)
	}
	if j.folder != nil {
		last := j.folder.Last()
		j.result.Seq, j.result.Hash, j.result.Facts = last.Seq, hex.EncodeToString(last.Hash[:]), last.Seq-j.from.seq
	}
	if err = errors.Join(err, j.store.Close()); err != nil || !j.e.cfg.Swap {
		return err
	}
	return j.swap(ctx)
}

// rebuild folds the facts from the shadow's place to the goal.
func (j *job) rebuild(ctx context.Context) error {
	var err error
	if j.state, err = projections.Open(reader{j.store}, projections.Config{}); err != nil {
		return err
	}
	j.result.FromSeq = j.from.seq
	j.folder = NewFolder(j.log.partition, j.log.start, j.store, j.state, nil)
	j.folder.batchMax, j.folder.wrote = j.e.cfg.BatchFacts, j.e.cfg.Wrote
	return j.foldTo(ctx, j.goal)
}

// foldTo folds what lies between the folder's place and a step of the log.
func (j *job) foldTo(ctx context.Context, goal step) error {
	if goal.seq <= j.folder.Seq() {
		return nil
	}
	from := j.log.start
	if j.from.seq > 0 {
		from = j.from.offset + 1
	}
	cur := j.log.log.Cursor(ctx, topiclog.Span{Topic: topicFacts, Partition: j.log.partition, From: from, To: goal.offset + 1}, topiclog.Committed)
	defer cur.Close()
	for {
		rs, err := cur.Next()
		if err != nil {
			return err
		}
		if rs == nil {
			break
		}
		before := j.folder.Seq()
		for _, r := range rs {
			if err := j.folder.Fold(r); err != nil {
				return err
			}
		}
		j.e.done.Add(j.folder.Seq() - before)
	}
	if got := j.folder.Last(); got.Seq != goal.seq || got.Hash != goal.Hash {
		return &Broken{
			Partition: j.log.partition, Rule: "X5e", Expected: fmt.Sprintf("the facts to fold to seq %d with hash %x", goal.seq, goal.Hash),
			Found: fmt.Sprintf("seq %d with hash %x", got.Seq, got.Hash), Remedy: "`hongbao verify` names the first difference",
		}
	}
	return j.folder.Write()
}

// swap lets the owner take the shadow, whose partition is closed; then the shadow is empty again.
func (j *job) swap(ctx context.Context) error {
	began := time.Now()
	if err := j.e.cfg.Live.Swap(ctx, j.log.partition, j.e.cfg.Dir); err != nil {
		return err
	}
	j.result.Swapped, j.result.SwapMS = true, time.Since(began).Milliseconds()
	return j.e.cfg.Store.Discard(j.log.partition)
}
