package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
)

// The values of a session that its row shows too. All are texts; only SessionSeen, the time of the last request, is an
// int64 of microseconds since 1970.
const (
	SessionID      = "id"
	SessionUser    = "user"
	SessionAddress = "address"
	SessionClient  = "client"
	SessionSeen    = "seen"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	// Token is the hash of the secret in the browser's cookie.
	Token string `gorm:"primaryKey"`
	// ID names the session to people and programs; it opens nothing.
	ID     string
	UserID string
	Data   []byte
	// Address and Client say where the person signed in, and with what.
	Address, Client string
	CreatedAt       time.Time
	SeenAt          time.Time
	ExpiresAt       time.Time
	EndedAt         *time.Time
}

// TableName is fixed by the migrations.
func (Session) TableName() string { return "notify_sessions" }

// Sessions is the store behind scs.SessionManager, which gives it hashes in place of tokens (HashTokenInStore). A session
// that has ended stays ended, whatever a request that was under way commits after that.
type Sessions struct {
	DB *gorm.DB
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

var _ scs.CtxStore = Sessions{}

// FindCtx gives the data of a session that is under way.
func (s Sessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var row Session
	err := session(s.DB).WithContext(ctx).Take(&row, "token = ? AND ended_at IS NULL AND expires_at > ?", token, clock(s.Now)).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("account: read a session: %w", err)
	}
	return row.Data, true, nil
}

// CommitCtx stores the data of a session, unless it has ended.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return fmt.Errorf("account: session: %w", err)
	}
	text := func(name string) string { value, _ := values[name].(string); return value }
	now := clock(s.Now)
	seen := now
	if microseconds, ok := values[SessionSeen].(int64); ok {
		seen = time.UnixMicro(microseconds)
	}
	row := Session{
		Token: token, ID: text(SessionID), UserID: text(SessionUser), Data: data, Address: text(SessionAddress), Client: text(SessionClient),
		CreatedAt: now, SeenAt: seen.UTC().Truncate(time.Microsecond), ExpiresAt: expiry.UTC().Truncate(time.Microsecond),
	}
	err = session(s.DB).WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "token"}},
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "notify_sessions.ended_at IS NULL"}}},
		DoUpdates: clause.AssignmentColumns([]string{"id", "user_id", "data", "seen_at", "expires_at"}),
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("account: store a session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	return end(session(s.DB).WithContext(ctx).Where("token = ?", token), clock(s.Now))
}

// Find is FindCtx without a context, which scs.Store asks for and does not call.
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// end ends the sessions of a query, and forgets what they held.
func end(query *gorm.DB, now time.Time) error {
	return query.Model(&Session{}).Where("ended_at IS NULL").Updates(map[string]any{"ended_at": now, "data": []byte{}}).Error
}

// endSessions ends the sessions of a user but the one with the ID keep, in the caller's transaction.
func endSessions(tx *gorm.DB, userID, keep string, now time.Time) error {
	return end(tx.Where("user_id = ? AND id <> ?", userID, keep), now)
}

// Of reads the sessions of a user that are under way, the last seen first, at most PageSize.
func (s Sessions) Of(ctx context.Context, userID string) ([]Session, error) {
	var rows []Session
	err := session(s.DB).WithContext(ctx).Where("user_id = ? AND ended_at IS NULL AND expires_at > ?", userID, clock(s.Now)).
		Order("seen_at DESC").Limit(PageSize).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("account: sessions: %w", err)
	}
	return rows, nil
}

// EndOthers ends the sessions of a user but the one with the ID keep.
func (s Sessions) EndOthers(ctx context.Context, u *User, keep string) error {
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := endSessions(tx, u.ID, keep, clock(s.Now)); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: u.Email, Action: "user.sessions_ended", TargetID: u.ID, Detail: u.Email})
	})
	if err != nil {
		return fmt.Errorf("account: end sessions: %w", err)
	}
	return nil
}

// Sweep deletes sessions that are over.
func (s Sessions) Sweep(ctx context.Context) error {
	if err := session(s.DB).WithContext(ctx).Where("expires_at < ?", clock(s.Now)).Delete(&Session{}).Error; err != nil {
		return fmt.Errorf("account: sweep sessions: %w", err)
	}
	return nil
}
