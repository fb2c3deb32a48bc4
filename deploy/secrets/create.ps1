# Makes the secrets that docker-compose.yml mounts, in the folder "values" beside this script. A secret that is there
# already is left as it is, so this may run at any time. Runs in Windows PowerShell 5.1 and in PowerShell 7.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$folder = Join-Path $PSScriptRoot 'values'
[void](New-Item -ItemType Directory -Force -Path $folder)

# Writes a secret without a line end and without a byte order mark, unless there is one.
function Save-Secret([string]$Name, [string]$Value) {
    $path = Join-Path $folder $Name
    if (Test-Path -LiteralPath $path) {
        Write-Host "kept  $Name"
        return
    }
    [System.IO.File]::WriteAllText($path, $Value, (New-Object System.Text.UTF8Encoding $false))
    Write-Host "made  $Name"
}

# 256 random bits as letters and digits, which need no quoting in a URL or in YAML.
function New-RandomSecret {
    $bytes = New-Object byte[] 32
    $generator = [System.Security.Cryptography.RandomNumberGenerator]::Create()
    try { $generator.GetBytes($bytes) } finally { $generator.Dispose() }
    return -join ($bytes | ForEach-Object { $_.ToString('x2') })
}

Save-Secret 'postgres_password' (New-RandomSecret)
Save-Secret 'notifications_db_password' (New-RandomSecret)
Save-Secret 'temporal_db_password' (New-RandomSecret)
Save-Secret 'api_token' (New-RandomSecret)

$password = [System.IO.File]::ReadAllText((Join-Path $folder 'notifications_db_password'))
Save-Secret 'database_url' "postgres://notifications:$password@postgres:5432/notifications?sslmode=disable"

# Other people's secrets: empty until they are written in.
Save-Secret 'smtp_password' ''
Save-Secret 'twilio_auth_token' ''

Write-Host "The API's token (Authorization: Bearer ...) is in $(Join-Path $folder 'api_token')"
