package replay

import "fmt"

// Broken says why a fact log cannot be folded.
type Broken struct {
	Partition int32
	Rule      string // "X8"
	Expected  string
	Found     string
	Remedy    string // what the operator can do
}

// Error is part of error.
func (b *Broken) Error() string {
	return fmt.Sprintf("partition %d, rule %s: expected %s, found %s; %s", b.Partition, b.Rule, b.Expected, b.Found, b.Remedy)
}

// gap is a fact that is not the next one. begins is where the log begins when no fact was read before this one, else 0.
func gap(p int32, want, seq, offset, begins int64) *Broken {
	b := &Broken{
		Partition: p, Rule: "X8", Expected: fmt.Sprintf("the fact with seq %d", want), Found: fmt.Sprintf("seq %d at offset %d", seq, offset),
		Remedy: "the fact log has a gap: restore the topic from a replica or a backup",
	}
	if begins > 0 {
		b.Remedy = fmt.Sprintf("the fact log begins at offset %d, so retention or a deletion took its beginning, and facts are kept for ever: "+
			"set retention.ms and retention.bytes to -1, and restore the topic from a backup", begins)
	}
	return b
}

func changed(p int32, seq, offset int64, want, got [16]byte) *Broken {
	return &Broken{
		Partition: p, Rule: "X5e", Expected: fmt.Sprintf("running hash %x at seq %d", want, seq), Found: fmt.Sprintf("%x at offset %d", got, offset),
		Remedy: "a fact was changed after it was written: restore the topic from a replica or a backup",
	}
}

func unfoldable(p int32, offset int64, err error) *Broken {
	return &Broken{
		Partition: p, Rule: "X8", Expected: "every fact to decode and to fold", Found: fmt.Sprintf("at offset %d: %v", offset, err),
		Remedy: "the fact log is damaged, or written by a newer version of hongbao: run that version, or restore the topic",
	}
}
