using OT.IO;
using OT.Numerics;
using OT.Results;
using Xunit;

namespace OT.Tests.IO;

public sealed class PlanFileTests
{
    static readonly SparseMatrix s_masses = SparseMatrix.FromTriples(3, 4, [0, 0, 2], [1, 3, 0], [0.1, 0.2, 0.7]);

    [Fact]
    public void PlanCsrRoundTrip()
    {
        using var folder = new TemporaryFolder();
        PlanFile.Save(folder["p.npz"], new SparsePlan(s_masses));
        var read = Assert.IsType<SparsePlan>(PlanFile.Read(folder["p.npz"]));
        Assert.Equal(s_masses.Values.ToArray(), read.Values.Values.ToArray());
        Assert.Equal(s_masses.ColumnIndices.ToArray(), read.Values.ColumnIndices.ToArray());
        Assert.Equal(s_masses.RowStarts.ToArray(), read.Values.RowStarts.ToArray());
        Assert.Equal([3L, 4], NpzFile.Read(folder["p.npz"], "shape").Integers!);
    }

    [Fact]
    public void A_dense_file_holds_every_mass()
    {
        using var folder = new TemporaryFolder();
        PlanFile.Save(folder["p.npy"], new SparsePlan(s_masses));
        TransportPlan read = PlanFile.Read(folder["p.npy"]);
        Assert.Equal((3, 4), (read.Rows, read.Columns));
        Assert.Equal(s_masses.ToDense().Values.ToArray(), read.ToDense().Values.ToArray());
    }

    [Fact]
    public void What_is_no_plan_is_refused()
    {
        using var folder = new TemporaryFolder();
        NpzFile.Write(folder["f.npz"], ("f", new NpyArray([1.0], 1)));
        Assert.Throws<InvalidDataException>(() => PlanFile.Read(folder["f.npz"]));
        NpyFile.Write(folder["v.npy"], [1.0, 2], 2);
        Assert.Throws<InvalidDataException>(() => PlanFile.Read(folder["v.npy"]));
        NpyFile.Write(folder["n.npy"], [1.0, double.NaN], 1, 2);
        Assert.Throws<InvalidDataException>(() => PlanFile.Read(folder["n.npy"]));
        NpzFile.Write(
            folder["c.npz"],
            ("data", new NpyArray([1.0], 1)),
            ("indices", new NpyArray([9L], 1)),
            ("indptr", new NpyArray([0L, 1], 2)),
            ("shape", new NpyArray([1L, 2], 2))
        );
        Assert.Throws<InvalidDataException>(() => PlanFile.Read(folder["c.npz"]));
        Assert.Throws<ArgumentException>(() => PlanFile.Save(folder["p.txt"], new SparsePlan(s_masses)));
    }

    [Theory]
    [InlineData("p.npy")]
    [InlineData("p.npz")]
    public void A_failing_write_keeps_the_old_file(string name)
    {
        using var folder = new TemporaryFolder();
        PlanFile.Save(folder[name], new SparsePlan(s_masses));
        byte[] before = File.ReadAllBytes(folder[name]);
        Assert.Throws<InvalidOperationException>(() => PlanFile.Save(folder[name], new Broken()));
        Assert.Equal(before, File.ReadAllBytes(folder[name]));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(folder[name])!));
    }

    [Fact]
    public void An_archive_that_cannot_be_written_keeps_the_old_one()
    {
        using var folder = new TemporaryFolder();
        NpzFile.Write(folder["a.npz"], ("f", new NpyArray([1.0], 1)));
        Assert.ThrowsAny<Exception>(() => NpzFile.Write(folder["a.npz"], ("f", new NpyArray([2.0], 1)), ("g", null!)));
        Assert.Equal([1.0], NpzFile.Read(folder["a.npz"], "f").ToDoubles());
    }

    sealed class Broken : TransportPlan
    {
        public override int Rows => 3;

        public override int Columns => 4;

        public override void Row(int row, Span<double> masses)
        {
            if (row == 1)
                throw new InvalidOperationException();
            masses.Clear();
        }
    }

    [Fact]
    public void Reads_what_scipy_saves()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["p.npz"], Convert.FromBase64String(NumpyFiles.ScipyRows));
        Assert.Equal(
            new double[,]
            {
                { 0.5, 0 },
                { 0.25, 0.25 },
            },
            PlanFile.Read(folder["p.npz"]).ToDense().ToArray()
        );
    }
}
