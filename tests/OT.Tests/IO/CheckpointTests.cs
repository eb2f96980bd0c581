using OT.Backends;
using OT.IO;
using OT.Results;
using OT.Solvers.Entropic;
using Xunit;

namespace OT.Tests.IO;

public sealed class CheckpointTests
{
    static readonly SinkhornState s_state = new(
        new Potentials([1, 2.5], [-3, 4, 5]),
        70,
        0.125,
        1.5,
        [0.5, 0.25],
        OT.Backends.Precision.Float32
    );

    [Fact]
    public void Round_trip_keeps_the_state()
    {
        using var folder = new TemporaryFolder();
        Checkpoint.Save(folder["k.npz"], s_state);
        SinkhornState read = Checkpoint.Read(folder["k.npz"]);
        Assert.Equal(s_state.Potentials.F.ToArray(), read.Potentials.F.ToArray());
        Assert.Equal(s_state.Potentials.G.ToArray(), read.Potentials.G.ToArray());
        Assert.Equal((70, 0.125, 1.5), (read.Iterations, read.Epsilon, read.Relaxation));
        Assert.Equal(s_state.Errors.AsEnumerable(), read.Errors);
        Assert.Equal(s_state.Precision, read.Precision);
    }

    [Fact]
    public void A_new_state_replaces_the_old_one_and_leaves_nothing_else()
    {
        using var folder = new TemporaryFolder();
        Checkpoint.Save(folder["k.npz"], s_state);
        Checkpoint.Save(folder["k.npz"], s_state with { Iterations = 80 });
        Assert.Equal(80, Checkpoint.Read(folder["k.npz"]).Iterations);
        Assert.Equal([folder["k.npz"]], Directory.GetFiles(folder.FullName));
    }

    [Fact]
    public void A_write_that_fails_keeps_the_old_state()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["taken.npz"]);
        Assert.ThrowsAny<Exception>(() => Checkpoint.Save(folder["taken.npz"], s_state));
        Assert.Empty(Directory.GetFiles(folder.FullName));
    }

    [Fact]
    public void Other_files_are_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        folder.Write("k.npz", "not an archive");
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Checkpoint.Read(folder["k.npz"]));
        Assert.Contains("k.npz", e.Message, StringComparison.Ordinal);
        NpzFile.Write(folder["v.npz"], ("f", new NpyArray([1.0], 1)));
        Assert.Contains(
            "version",
            Assert.Throws<InvalidDataException>(() => Checkpoint.Read(folder["v.npz"])).Message,
            StringComparison.Ordinal
        );
    }
}
