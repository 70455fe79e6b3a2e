package messages

import "time"

// ReloadSettings asks the daemon to read its configuration again; the answer is a ReloadReport.
type ReloadSettings struct{}

// ReloadReport says what a reload did. Nothing is changed where anything is rejected.
type ReloadReport struct {
	Changed  []SettingChange `json:"changed"`  // in force now
	Restart  []SettingChange `json:"restart"`  // in force after a restart
	Rejected []Fault         `json:"rejected"` // why everything stays as it was
	Warnings []string        `json:"warnings"`
}

// SettingChange is one setting that reads otherwise than before; passwords are masked.
type SettingChange struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// AuditEvery tells the fleet how often to read file and table in full, from now on.
type AuditEvery struct{ Every time.Duration }
