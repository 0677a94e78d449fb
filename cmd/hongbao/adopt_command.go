package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// adoptAnswer is what `topics adopt --json` prints.
type adoptAnswer struct {
	Group   string             `json:"group"`
	Adopted []adoptedPartition `json:"adopted"`
}

type adoptedPartition struct {
	Partition int32  `json:"partition"`
	Seq       int64  `json:"seq"`    // of the last step in hongbao.facts
	Hash      string `json:"hash"`   // after it
	Offset    int64  `json:"offset"` // of invite.events, committed for the group
}

func newAdoptCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "adopt PARTITION...",
		Short: "Commit a lost offset again from the last step in hongbao.facts",
		Long: `Commit again what the group has lost: offset and metadata of a partition, as the last StepEnded in its facts says them (rule X5d).
Kafka forgets the offsets of a group that was empty for longer than offsets.retention.minutes, 7 days as it comes; hongbao then does not start
on facts without an offset. Nothing else is lost then, for a step's facts and its offset were committed together (X4).
Refused where an offset is there, where there are no facts, and while the group has live members: stop every instance first; one that was
killed leaves after 10 s. Either all partitions named are adopted or none. With --json: {group, adopted: [{partition, seq, hash, offset}]}.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.adopt(cmd.Context(), args) },
	}
}

func (a *app) adopt(ctx context.Context, args []string) error {
	log, err := a.dialTopics(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	group := a.cfg.GroupID()
	commits, err := log.CommittedOffsets(ctx, group, schemas.TopicEvents)
	if err != nil {
		return err
	}
	wanted := make([]topiclog.Commit, len(commits))
	for p := range wanted {
		wanted[p].Offset = -1
	}
	answer := adoptAnswer{Group: group, Adopted: []adoptedPartition{}}
	tails, err := readTails(ctx, log)
	if err != nil {
		return err
	}
	for _, arg := range args {
		p, err := strconv.ParseInt(arg, 10, 32)
		if err != nil || p < 0 || int(p) >= len(commits) {
			return fmt.Errorf("partition %q: want 0..%d", arg, len(commits)-1)
		}
		if c := commits[p]; c.Offset >= 0 {
			return fmt.Errorf("partition %d: group %s has offset %d committed, with metadata %q; adopting is for an offset that is gone", p, group, c.Offset, c.Metadata)
		}
		m, err := tails.last(ctx, int32(p))
		if err != nil {
			return err
		}
		text, err := m.AppendText(nil)
		if err != nil {
			return err
		}
		wanted[p] = topiclog.Commit{Offset: m.Positions[schemas.TopicEvents], Metadata: string(text)}
		answer.Adopted = append(answer.Adopted, adoptedPartition{
			Partition: int32(p), Seq: m.Seq, Hash: hex.EncodeToString(m.Hash[:]), Offset: wanted[p].Offset,
		})
	}
	// The broker takes a commit from outside a group only while the group is empty, so none is taken from a live owner.
	if err := log.Commit(ctx, group, schemas.TopicEvents, wanted); err != nil {
		return fmt.Errorf("%w; a group with live members owns its offsets: stop every instance of %s (one that was killed leaves after 10 s)", err, group)
	}
	return a.answer(answer, answer.print)
}

// tails are the ends of hongbao.facts, and of invite.events to compare with.
type tails struct {
	log                  *topiclog.Client
	starts, stable, ends topiclog.Offsets
}

func readTails(ctx context.Context, log *topiclog.Client) (t tails, err error) {
	t.log = log
	if t.starts, err = log.Starts(ctx, schemas.TopicFacts); err != nil {
		return t, err
	}
	if t.stable, err = log.Ends(ctx, topiclog.Committed, schemas.TopicFacts); err != nil {
		return t, err
	}
	t.ends, err = log.Ends(ctx, topiclog.Uncommitted, schemas.TopicFacts, schemas.TopicEvents)
	return t, err
}

// last is what the last step of a partition's facts says, as the metadata that was committed with it.
func (t *tails) last(ctx context.Context, p int32) (m schemas.Metadata, err error) {
	const topic = schemas.TopicFacts
	start, end := t.starts[topic][p], t.stable[topic][p]
	if high := t.ends[topic][p]; end < high {
		return m, fmt.Errorf("partition %d: a transaction is open on %s from offset %d to %d; it ends or times out within 10 s", p, topic, end, high)
	}
	f, err := t.lastFact(ctx, p, start, end)
	switch {
	case err != nil:
		return m, err
	case f.Seq == 0:
		return m, fmt.Errorf("partition %d: %s has no facts there, so there is nothing to take an offset from; an instance starts from nothing by itself", p, topic)
	case f.Kind != schemas.FactStepEnded || f.Step.Hash.IsZero():
		return m, fmt.Errorf("partition %d: the last fact, seq %d, is no StepEnded with a hash, and whole steps are published (X4): `hongbao verify` says what is wrong", p, f.Seq)
	}
	if at, events := f.Step.Positions[schemas.TopicEvents], t.ends[schemas.TopicEvents][p]; at > events {
		return m, fmt.Errorf("partition %d: its facts have read %s up to offset %d, which ends at %d: it is not the topic that they were made from",
			p, schemas.TopicEvents, at, events)
	}
	return schemas.Metadata{Seq: f.Seq, Hash: f.Step.Hash, Positions: f.Step.Positions, ClockMS: f.Step.WorkerClockMS}, nil
}

// lastFact reads windows that grow backwards until one holds a fact: control and aborted records hold none.
func (t *tails) lastFact(ctx context.Context, p int32, start, end int64) (f schemas.Fact, err error) {
	for window := int64(64); start < end && f.Seq == 0; window *= 4 {
		from := max(start, end-window)
		if err := t.readLast(ctx, topiclog.Span{Topic: schemas.TopicFacts, Partition: p, From: from, To: end}, &f); err != nil || from == start {
			return f, err
		}
	}
	return f, nil
}

func (t *tails) readLast(ctx context.Context, s topiclog.Span, f *schemas.Fact) error {
	cursor := t.log.Cursor(ctx, s, topiclog.Committed)
	defer cursor.Close()
	var last *topiclog.Record
	for {
		records, err := cursor.Next()
		if err != nil {
			return err
		}
		if records == nil {
			break
		}
		last = records[len(records)-1]
	}
	if last == nil {
		return nil
	}
	if err := f.Decode(last.Value); err != nil {
		return fmt.Errorf("%s/%d offset %d: %w", last.Topic, last.Partition, last.Offset, err)
	}
	return nil
}

func (t *adoptAnswer) print(w io.Writer) {
	for _, p := range t.Adopted {
		fmt.Fprintf(w, "partition %d: group %s goes on at offset %d, after step %d with hash %s\n", p.Partition, t.Group, p.Offset, p.Seq, p.Hash)
	}
}
