# Starts the worker:  .\worker\start.ps1 [flags of the worker]
#
# With Go it is built first (seconds, when nothing changed); without, bin\worker.exe is run if somebody put it there.
# Settings come from the environment, and from the file .env in the repository's folder (or the one that ENV_FILE names)
# if there is one: lines like NAME=value. What is set in the environment already wins. Ctrl-C reaches the worker itself,
# which finishes the sends that are under way. Runs in Windows PowerShell 5.1 and in PowerShell 7.
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

function Stop-Start([string[]]$Lines) {
    foreach ($line in $Lines) { [Console]::Error.WriteLine("start.ps1: $line") }
    exit 1
}

# Takes over NAME=value lines. Nothing in the file is run: $(...) is just text.
function Read-Settings([string]$Path) {
    $number = 0
    foreach ($line in [System.IO.File]::ReadAllLines((Resolve-Path -LiteralPath $Path).ProviderPath)) {
        $number++
        if ($line -match '^\s*(#.*)?$') { continue }
        if ($line -notmatch '^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$') {
            Stop-Start "$Path, line ${number}: not NAME=value"
        }
        $name = $Matches[1]
        $value = $Matches[2]
        if ($value -match '^"(.*)"\s*$' -or $value -match "^'(.*)'\s*$") { $value = $Matches[1] }
        if ($null -eq [Environment]::GetEnvironmentVariable($name)) {
            [Environment]::SetEnvironmentVariable($name, $value)
        }
    }
}

$code = 1
Push-Location -LiteralPath (Split-Path -Parent $PSScriptRoot)
try {
    $settings = '.env'
    if ($env:ENV_FILE) { $settings = $env:ENV_FILE }
    if (Test-Path -LiteralPath $settings -PathType Leaf) {
        Read-Settings $settings
    } elseif ($env:ENV_FILE) {
        Stop-Start "ENV_FILE names $env:ENV_FILE, which is not there"
    }

    # $IsWindows exists in PowerShell 7 only; 5.1 runs nowhere else.
    $onWindows = $PSVersionTable.PSVersion.Major -lt 6 -or $IsWindows
    $worker = Join-Path 'bin' $(if ($onWindows) { 'worker.exe' } else { 'worker' })
    if (Get-Command go -CommandType Application -ErrorAction SilentlyContinue) {
        & go build -o $worker ./worker
        if ($LASTEXITCODE -ne 0) { Stop-Start 'the worker could not be built: see above' }
    } elseif (-not (Test-Path -LiteralPath $worker -PathType Leaf)) {
        Stop-Start @(
            "neither Go nor $worker is here.",
            'Install Go (https://go.dev/dl/; go.mod says which version), or build it elsewhere:',
            "  `$env:CGO_ENABLED = '0'; go build -o $worker ./worker"
        )
    }

    # Called directly, with nothing redirected: Ctrl-C goes to it, and PowerShell waits until it has stopped.
    & (Join-Path '.' $worker) @args
    $code = $LASTEXITCODE
} finally {
    Pop-Location
}
exit $code
