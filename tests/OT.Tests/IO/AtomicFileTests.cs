using OT.IO;
using Xunit;

namespace OT.Tests.IO;

/// <summary>What a killed process leaves beside a file is taken away, and nothing else.</summary>
public sealed class AtomicFileTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Abandoned_temporaries_go_and_all_else_stays()
    {
        string target = _folder["state.npz"];
        string[] abandoned = ["state.npz.17.tmp", "state.npz.999999999.tmp"],
            others =

            [
                "state.npz.tmp",
                "state.npz..tmp",
                "state.npz.x7.tmp",
                "state.npz.7.tmp.bak",
                "other.npz.17.tmp",
                "astate.npz.17.tmp",
                "state.npz.17.TMP",
                "state.npz.1 7.tmp",
            ];
        foreach (string name in abandoned.Concat(others))
            File.WriteAllText(_folder[name], "left");
        using FileStream held = new(_folder["state.npz.18.tmp"], FileMode.Create, FileAccess.Write, FileShare.Delete);
        AtomicFile.Write(target, stream => stream.Write("whole"u8));
        Assert.Equal("whole", File.ReadAllText(target));
        Assert.All(abandoned, name => Assert.False(File.Exists(_folder[name]), name));
        Assert.All(others.Append("state.npz.18.tmp"), name => Assert.True(File.Exists(_folder[name]), name));
    }

    [Fact]
    public void What_fails_leaves_the_old_file_alone()
    {
        string target = _folder["state.npz"];
        AtomicFile.Write(target, stream => stream.Write("old"u8));
        Assert.Throws<InvalidOperationException>(() =>
            AtomicFile.Write(
                target,
                stream =>
                {
                    stream.Write("new"u8);
                    throw new InvalidOperationException();
                }
            )
        );
        Assert.Equal("old", File.ReadAllText(target));
        Assert.Equal([target], Directory.GetFiles(Path.GetDirectoryName(target)!));
    }
}
