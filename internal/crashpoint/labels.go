package crashpoint

import "slices"

// Label is one place. What comes after one action is mostly what comes before the next: such a place has one label.
type Label struct{ Name, Where string }

// Labels are all places, by room.
func Labels() []Label {
	return slices.Concat(storeLabels(), takeoverLabels(), publishLabels(), memberLabels(), redisLabels(), couponLabels())
}

// Known says whether there is such a label.
func Known(name string) bool {
	return slices.ContainsFunc(Labels(), func(l Label) bool { return l.Name == name })
}

func storeLabels() []Label {
	return []Label{
		{"store.identity.before", "the directory is locked; STORE, with store id, format and partition count, is not written"},
		{"store.identity.after", "STORE is written and synced"},
		{"store.live.before", "a partition has no live directory yet"},
		{"store.live.after", "the first live directory has its name"},
		{"store.renamed", "a directory has got its name, which is not synced yet (E5)"},
		{"store.open.after", "Pebble has opened and written manifest and log"},
		{"store.commit.before", "a step is made; state, outbox entry and boundary are not written (X2)"},
		{"store.commit.after", "the batch of a step is written, the lane knows nothing of it (X2)"},
		{"store.nodes.before", "nodes are folded and not written"},
		{"store.nodes.after", "nodes are written without a step"},
		{"store.delete.after", "published entries and old boundaries are deleted (E3, E4)"},
		{"store.restored.before", "facts of a restore are folded and not written"},
		{"store.restored.after", "a batch of a restore is written"},
		{"store.checkpoint.before", "a checkpoint is due"},
		{"store.checkpoint.after", "a checkpoint has its name"},
		{"store.drop.after", "an old checkpoint is gone"},
		{"store.rollback.before", "a checkpoint was chosen to go back to (X5e)"},
		{"store.rollback.after", "the checkpoint's copy is the live directory"},
		{"store.reset.before", "another history has no checkpoint: the directory is to be emptied (X5e)"},
		{"store.reset.after", "an empty directory is the live one"},
		{"store.discard.before", "a damaged directory is closed, to be thrown away"},
		{"store.discard.after", "a damaged directory is thrown away"},
		{"store.close.before", "a partition's store is to be synced and closed"},
	}
}

func takeoverLabels() []Label {
	return []Label{
		{"lane.producer.before", "the lane has a client and no producer id (X1)"},
		{"lane.producer.after", "the lane is initialised, which aborts what its last life left open (X1, X5a)"},
		{"settle.prove.after", "the lease is proved (X5b)"},
		{"settle.offset.after", "the committed offset is read (X5c)"},
		{"settle.fence.before", "another's open transaction was found (X5c)"},
		{"settle.fence.after", "it is ended by InitProducerID (X5c)"},
		{"settle.facts.after", "the fact log ends where the offset says (X5d)"},
		{"takeover.compare.after", "Pebble agrees with Kafka (X5e)"},
		{"takeover.restore.before", "facts are to be folded into the store (X5e)"},
		{"takeover.adopt.after", "the unpublished tail is queued, the worker made (X5e)"},
		{"takeover.consume.after", "the inputs are read from their positions (X5f)"},
	}
}

func publishLabels() []Label {
	return []Label{
		{"publish.offsets.before", "a transaction has begun in the client alone"},
		{"publish.offsets.after", "TxnOffsetCommit was taken; no record is produced"},
		{"publish.produce.after", "records are on their way"},
		{"publish.commit.before", "every promise is kept; EndTransaction is not asked (X6)"},
		{"publish.commit.after", "EndTransaction(commit) was answered; nobody here knows"},
		{"publish.told.after", "the partitions know that their steps are published"},
	}
}

func memberLabels() []Label {
	return []Label{
		{"member.assign.after", "partitions are assigned, their takeovers have begun"},
		{"member.revoke.before", "partitions are to be given up (X7)"},
		{"member.release.after", "the tail of one is published, the partition forgotten (X7)"},
		{"member.revoke.after", "they have left the owned set (X7)"},
		{"drain.before", "a stop was asked for; tails are not published"},
		{"member.leave.before", "tails are published, the member's client is closed"},
		{"member.leave.after", "the static member has left the group"},
	}
}

func redisLabels() []Label {
	return []Label{
		{"admission.ask.before", "claims and shares are to be asked of Redis"},
		{"admission.ask.after", "Redis has granted what no fact says yet (X10)"},
		{"admission.release.before", "a refusing fact is committed, its grant still stands in Redis (X10)"},
		{"admission.release.after", "the grant is given back"},
		{"admission.epoch.before", "Redis has forgotten: a new epoch is due (X10)"},
		{"admission.epoch.after", "a new epoch is begun"},
		{"admission.rebuild.after", "some claims of a partition are written again"},
		{"admission.mark.before", "all of them are; the partition is not marked"},
		{"admission.mark.after", "the partition is marked as rebuilt"},
		{"stock.declare.before", "stock is to be declared to the issuer"},
		{"stock.declare.after", "stock and top-ups are declared"},
		{"stock.restore.before", "the issuer's answers are to be restored from facts (X10)"},
		{"stock.restore.after", "they are restored"},
	}
}

func couponLabels() []Label {
	return []Label{
		{"issue.submit.after", "a coupon whose ISSUING is committed is handed to the pool (X11)"},
		{"issue.call.before", "the issuer is to be asked (X11)"},
		{"issue.call.after", "the issuer has answered, which no fact says"},
		{"issue.deliver.after", "the answers are delivered to their partitions"},
		{"coupon.answer.after", "answers are facts of a step that is not committed"},
		{"coupon.create.after", "commands are coupons of a step that is not committed"},
		{"coupon.retry.after", "a retry record is in a step that is not committed"},
		{"coupon.due.after", "a due retry record is acted on"},
		{"coupon.expire.after", "the validity of a voucher has ended"},
		{"control.command.before", "a control command is read and not carried out"},
		{"campaign.activate.after", "a campaign file is a fact"},
		{"campaign.change.after", "a campaign change is a fact"},
		{"dead.letter.after", "a dead letter is written"},
	}
}
