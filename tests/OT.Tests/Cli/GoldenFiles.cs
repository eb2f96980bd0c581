using OT.Tests.IO;

namespace OT.Tests.Cli;

/// <summary>
/// The 5 × 3 instance of the R package rwig's vignette: exact value 0.23; entropic at ε = 0.1 the canonical value is 0.2506649150 and ⟨C, P⟩ = 0.2399010252;
/// with ρ = 1 on both sides the value is 0.2327211270. Entropic values recomputed in double precision by an independent implementation.
/// </summary>
public sealed class GoldenFiles : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public GoldenFiles()
    {
        A = _folder.Write("a.csv", "# source weights\n.3\n.4\n.1\n.1\n.1\n");
        B = _folder.Write("b.csv", "0.4,0.5,0.1\n");
        C = _folder.Write("c.csv", ".1,.2,.3\n.2,.3,.4\n.4,.3,.2\n.3,.2,.1\n.5,.5,.4\n");
    }

    public string A { get; }

    public string B { get; }

    public string C { get; }

    public string this[string name] => _folder[name];

    public string Write(string name, string content) => _folder.Write(name, content);

    /// <summary>A command on this instance.</summary>
    public string[] Args(string command, params string[] more) => [command, A, B, "--cost-matrix", C, .. more];

    public void Dispose() => _folder.Dispose();
}
