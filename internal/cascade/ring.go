package cascade

// Of every keptEvery-th accepted record kept holds the last keptMost, to be sent again.
const (
	keptMost  = 64
	keptEvery = 8
)

type kept struct {
	records [keptMost]Record
	headers [keptMost][len(maker{}.head)]Header
	n       int // kept so far, ever
	offered int
	again   Record
}

// offer keeps a record now and then. Its bytes are never reused, its headers are.
func (k *kept) offer(rec *Record) {
	if k.offered++; k.offered%keptEvery != 1 {
		return
	}
	i := k.n % keptMost
	k.n++
	k.records[i] = *rec
	k.records[i].Headers = append(k.headers[i][:0], rec.Headers...)
}

// pick is one of those kept, to be sent now; at least one is kept.
func (k *kept) pick(d *dice, nowMS int64) *Record {
	k.again = k.records[d.below(min(k.n, keptMost))]
	k.again.TimeMS = nowMS
	return &k.again
}
