package messages

// GetShadow asks the shadow what it has seen; the answer is a ShadowReport.
type GetShadow struct{}

// What became of a change that a shadow would have made, or saw the reference make.
const (
	ShadowOpen    = "open"    // we would have; the reference may still
	ShadowAgreed  = "agreed"  // the reference did the same
	ShadowDiffers = "differs" // the reference did what we would not
	ShadowMissed  = "missed"  // we would have and it never did
)

// ShadowItem is one change of one row: what we would have done, what the reference did, or both.
type ShadowItem struct {
	Name    string `json:"name"`
	Action  string `json:"action"` // insert, delete, update, configure
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Outcome string `json:"outcome"` // open, agreed, differs, missed
	// Code is why, from a closed set: DECNET's defect by its number in docs/PARITY.md, or a word of ours.
	Code           string  `json:"code,omitempty"`
	Reason         string  `json:"reason,omitempty"` // the same in words
	DecidedAt      Moment  `json:"decided_at"`       // when we would have done it; null: we would not
	SeenAt         Moment  `json:"seen_at"`          // when the reference's change was seen in the table; null: it was not
	EarlierSeconds float64 `json:"earlier_seconds"`  // from the one to the other, where both are
}

// ShadowReport says what a daemon that writes nothing would have done, against what it saw happen.
type ShadowReport struct {
	Since         Moment           `json:"since"`
	WindowSeconds float64          `json:"window_seconds"` // how long the reference is given
	Open          int64            `json:"open"`
	Agreed        int64            `json:"agreed"`
	Differs       int64            `json:"differs"`
	Missed        int64            `json:"missed"`
	Codes         map[string]int64 `json:"codes"` // of those that did not agree
	Led           int64            `json:"led"`   // of the agreed ones: those we decided first
	EarlierMean   float64          `json:"earlier_mean_seconds"`
	EarlierMax    float64          `json:"earlier_max_seconds"`
	Items         []ShadowItem     `json:"items"`   // newest first, then the open ones
	Dropped       int64            `json:"dropped"` // older ones that are no longer kept; they are counted still
}
