package main

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"hongbao/eventstore"
	"hongbao/internal/admin"
	"hongbao/processor"
	"hongbao/schemas"
)

// instance is this process as the admin API shows it.
type instance struct {
	x       *processor.Processor
	cfg     *Config
	address string
}

// Status is admin.Instance's.
func (i *instance) Status() admin.Status {
	s := i.x.Status()
	data, err := filepath.Abs(i.cfg.Data)
	if err != nil {
		data = i.cfg.Data
	}
	out := admin.Status{
		Instance: i.cfg.Instance, Group: i.cfg.GroupID(), Address: i.address, Version: buildVersion().Version, PID: os.Getpid(), Data: data,
		Owned: orEmpty(s.Owned), Working: orEmpty(s.Working), Stopped: []admin.Stop{}, Redis: s.Gate.Sentence,
	}
	for _, p := range s.Stopped {
		out.Stopped = append(out.Stopped, admin.Stop{Partition: p.Partition, Rule: p.Rule, Expected: p.Expected, Found: p.Found, Do: p.Remedy})
	}
	return out
}

// orEmpty is a list that JSON shows as [].
func orEmpty(ps []int32) []int32 {
	if ps == nil {
		return []int32{}
	}
	return ps
}

// Partitions is admin.Instance's.
func (i *instance) Partitions(ctx context.Context) ([]admin.Partition, error) {
	owners, err := i.x.Owners(ctx)
	if err != nil {
		return nil, err
	}
	s := i.x.Status()
	all := make([]admin.Partition, i.cfg.Partitions)
	for n := range all {
		p := &all[n]
		p.Partition = int32(n)
		owner, owned := owners[p.Partition]
		p.Owner, p.Address = owner.Instance, owner.Address
		stop := slices.IndexFunc(s.Stopped, func(s *processor.Stop) bool { return s.Partition == p.Partition })
		switch {
		case stop >= 0:
			p.State, p.Sentence = admin.Stopped, s.Stopped[stop].Error()
		case slices.Contains(s.Working, p.Partition):
			p.State = admin.Working
			if err := i.stand(p); err != nil {
				p.State, p.Sentence = admin.Taking, err.Error()
			}
		case slices.Contains(s.Owned, p.Partition):
			p.State = admin.Taking
		case owned:
			p.State = admin.Elsewhere
		default:
			p.State = admin.Nobody
		}
		if slices.Contains(s.Owned, p.Partition) { // the group's word may be older than our callbacks'
			p.Owner, p.Address = i.cfg.Instance, i.address
		}
	}
	return all, nil
}

func (i *instance) stand(p *admin.Partition) error {
	s, err := i.x.Standing(p.Partition)
	if err != nil {
		return err
	}
	p.Seq, p.StoredSeq, p.NodesSeq = s.Committed, s.Stored.Seq, s.Nodes
	if s.CommittedHash != (schemas.Hash{}) {
		p.Hash = hex.EncodeToString(s.CommittedHash[:])
	}
	return nil
}

// StateHash is admin.Instance's.
func (i *instance) StateHash(p int32) (admin.StateHash, error) {
	h, err := i.x.StateHash(p)
	if err != nil {
		return admin.StateHash{}, i.refuse(context.Background(), p, err)
	}
	return admin.StateHash{Partition: p, Seq: h.Seq, Hash: hex.EncodeToString(h.Hash[:]), StateHash: hex.EncodeToString(h.State[:])}, nil
}

// Swap is admin.Instance's.
func (i *instance) Swap(ctx context.Context, p int32) error {
	err := i.x.Swap(ctx, p, filepath.Join(i.cfg.Data, shadowDir))
	if err != nil {
		return i.refuse(ctx, p, err)
	}
	return nil
}

// refuse says what kind of refusal an error is, and who owns what is not ours.
func (i *instance) refuse(ctx context.Context, p int32, err error) error {
	r := &admin.Refusal{Sentence: err.Error(), Code: http.StatusInternalServerError}
	switch {
	case errors.Is(err, processor.ErrElsewhere):
		r.Code = http.StatusMisdirectedRequest
		owners, err := i.x.Owners(ctx)
		if err == nil {
			r.Owner, r.Address = owners[p].Instance, owners[p].Address
		}
	case errors.Is(err, eventstore.ErrRefused):
		r.Code = http.StatusUnprocessableEntity
	case errors.Is(err, processor.ErrBusy), errors.Is(err, eventstore.ErrClosed):
		r.Code = http.StatusConflict
	}
	return r
}
