package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
)

// Scope is a part of the REST API that a token opens.
type Scope string

// The scopes.
const (
	// Read opens everything that changes nothing.
	Read Scope = "read"
	// Events opens POST /events alone: for applications that only report changes.
	Events Scope = "events"
	// Write opens everything that changes something, POST /events included. It does not include Read.
	Write Scope = "write"
)

// Scopes lists every scope.
var Scopes = []Scope{Read, Events, Write}

// tokenPrefix lets people, and scanners of leaked secrets, tell our tokens.
const tokenPrefix = "silque_"

// shownPrefix is how much of a token stays readable.
const shownPrefix = len(tokenPrefix) + 4

// seenInterval is how exactly a token's last use is known: a write for every call would cost more than the call.
const seenInterval = time.Minute

// What can be wrong with a token.
var (
	// ErrTokenName says that a token needs a name of its own.
	ErrTokenName = errors.New("account: a token needs a name of 1 to 60 characters that no other token has")
	// ErrTokenScopes says that there is no scope, or one that does not exist.
	ErrTokenScopes = errors.New("account: a token has one or more of the scopes read, events and write")
	// ErrTokenExpiry says that a token would be over before it begins.
	ErrTokenExpiry = errors.New("account: a token cannot expire in the past")
)

// Token is a token of the REST API, without its secret.
type Token struct {
	ID string `gorm:"primaryKey"`
	// Name is what histories call who comes with it: "token NAME".
	Name string
	// ScopeList is the scopes, separated by commas; see Has and ScopeNames.
	ScopeList  string `gorm:"column:scopes"`
	Hash       string
	Prefix     string
	CreatedBy  string
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time
}

// TableName is fixed by the migrations.
func (Token) TableName() string { return "notify_api_tokens" }

// ScopeNames lists the scopes.
func (t *Token) ScopeNames() []string { return strings.Split(t.ScopeList, ",") }

// Has says whether the token opens what the scope is needed for.
func (t *Token) Has(needed Scope) bool {
	names := t.ScopeNames()
	return slices.Contains(names, string(needed)) || needed == Events && slices.Contains(names, string(Write))
}

// Actor is the token's name in histories.
func (t *Token) Actor() string { return "token " + t.Name }

// Expired says whether the token's time is over.
func (t *Token) Expired(now time.Time) bool { return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) }

// Tokens keeps the tokens of the REST API.
type Tokens struct {
	DB *gorm.DB
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// tokenNameLimit is in characters.
const tokenNameLimit = 60

// Create makes a token, and gives its secret, which nobody can read again. expires may be nil: never.
func (s Tokens) Create(ctx context.Context, name string, scopes []Scope, expires *time.Time, by string) (t *Token, secret string, err error) {
	name, err = normalName(name)
	if err != nil || name == "" || len([]rune(name)) > tokenNameLimit {
		return nil, "", ErrTokenName
	}
	names := make([]string, 0, len(scopes))
	for _, scope := range Scopes {
		if slices.Contains(scopes, scope) {
			names = append(names, string(scope))
		}
	}
	if len(names) == 0 || slices.ContainsFunc(scopes, func(given Scope) bool { return !slices.Contains(Scopes, given) }) {
		return nil, "", ErrTokenScopes
	}
	now := clock(s.Now)
	if expires != nil {
		until := expires.UTC().Truncate(time.Microsecond)
		if expires = &until; !until.After(now) {
			return nil, "", ErrTokenExpiry
		}
	}
	secret = tokenPrefix + rand.Text()
	token := &Token{ID: outbox.NewID(), Name: name, ScopeList: strings.Join(names, ","), Hash: digest(secret),
		Prefix: secret[:shownPrefix], CreatedBy: by, CreatedAt: now, ExpiresAt: expires}
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var others int64
		if err := tx.Model(&Token{}).Where("name = ? AND revoked_at IS NULL", name).Count(&others).Error; err != nil {
			return err
		}
		if others > 0 {
			return ErrTokenName
		}
		if err := tx.Create(token).Error; err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "token.created", TargetID: token.ID, Detail: name + " for " + strings.Join(names, ", ")})
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		err = ErrTokenName // another one at the same moment
	}
	if err != nil {
		return nil, "", ours("make a token", err)
	}
	return token, secret, nil
}

// Revoke ends a token at once, or gives ErrNotFound. To revoke one again changes nothing.
func (s Tokens) Revoke(ctx context.Context, id, by string) (*Token, error) {
	token := new(Token)
	err := session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Take(token, "id = ?", id).Error; err != nil {
			return found("token", err)
		}
		now := clock(s.Now)
		revoked := tx.Model(&Token{}).Where("id = ? AND revoked_at IS NULL", id).UpdateColumn("revoked_at", now)
		if revoked.Error != nil || revoked.RowsAffected == 0 {
			return revoked.Error
		}
		token.RevokedAt = &now
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "token.revoked", TargetID: id, Detail: token.Name})
	})
	if err != nil {
		return nil, ours("revoke a token", err)
	}
	return token, nil
}

// List reads a page of the tokens, newest first, from before the ID cursor on; next is empty at the end.
func (s Tokens) List(ctx context.Context, cursor string) (tokens []Token, next string, err error) {
	query := session(s.DB).WithContext(ctx)
	if cursor != "" {
		query = query.Where("id < ?", cursor)
	}
	if err := query.Order("id DESC").Limit(PageSize + 1).Find(&tokens).Error; err != nil {
		return nil, "", fmt.Errorf("account: list tokens: %w", err)
	}
	if len(tokens) > PageSize {
		tokens = tokens[:PageSize]
		next = tokens[PageSize-1].ID
	}
	return tokens, next, nil
}

// Get reads one token, or gives ErrNotFound.
func (s Tokens) Get(ctx context.Context, id string) (*Token, error) {
	token := new(Token)
	if err := session(s.DB).WithContext(ctx).Take(token, "id = ?", id).Error; err != nil {
		return nil, found("token", err)
	}
	return token, nil
}

// MadeBy counts the tokens that somebody made and that still open something.
func (s Tokens) MadeBy(ctx context.Context, email string) (int64, error) {
	var count int64
	err := session(s.DB).WithContext(ctx).Model(&Token{}).
		Where("created_by = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)", email, clock(s.Now)).Count(&count).Error
	if err != nil {
		return 0, fmt.Errorf("account: count tokens: %w", err)
	}
	return count, nil
}

// BySecret gives the token of a secret that opens something now, or ErrNotFound. The time of use is written down at most
// once a minute; that this cannot be done keeps nobody out.
func (s Tokens) BySecret(ctx context.Context, secret string) (*Token, error) {
	if !strings.HasPrefix(secret, tokenPrefix) {
		return nil, ErrNotFound
	}
	token := new(Token)
	db := session(s.DB).WithContext(ctx)
	if err := db.Take(token, "hash = ?", digest(secret)).Error; err != nil {
		return nil, found("token", err)
	}
	now := clock(s.Now)
	if token.RevokedAt != nil || token.Expired(now) {
		return nil, ErrNotFound
	}
	if token.LastUsedAt == nil || now.Sub(*token.LastUsedAt) >= seenInterval {
		_ = db.Model(&Token{}).Where("id = ? AND (last_used_at IS NULL OR last_used_at <= ?)", token.ID, now.Add(-seenInterval)).
			UpdateColumn("last_used_at", now).Error
	}
	return token, nil
}
