using System.Text;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Pairwise;
using OT.Results;
using OT.Testing;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Pairwise;

/// <summary>A run that was ended anywhere goes on to the same matrix.</summary>
public sealed class PairwiseJournalTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    string Journal => _folder["d.journal"];

    static PairwiseProblem Problem(int count = 6) => new SomeMeasures(count, 6, 2, Kind.Divergence, Histograms: false).Problem();

    /// <summary>A whole run, every entry kept.</summary>
    static PairwiseResult Run(PairwiseProblem problem, string path, PairwiseOptions? options = null)
    {
        using var journal = PairwiseJournal.Resume(path, problem, options);
        return new PairwiseDistances((options ?? new()) with { Finished = journal.Add }).Solve(problem, journal.Entries);
    }

    [Fact]
    public void ResumeEqualsStraight()
    {
        PairwiseProblem problem = Problem();
        double[] straight = PairwiseDistancesTests.Bits(new PairwiseDistances().Solve(problem));
        Assert.Equal(straight, PairwiseDistancesTests.Bits(Run(problem, Journal)));
        byte[] whole = File.ReadAllBytes(Journal);
        // Killed at any byte: what was not written whole is computed again.
        for (int length = 0; length <= whole.Length; length += 7)
        {
            File.WriteAllBytes(Journal, whole[..length]);
            PairwiseResult resumed = Run(problem, Journal);
            int lines = whole[..length].Count(b => b == '\n');
            Assert.Equal(resumed.Pairs - Math.Max(lines - 1, 0), resumed.Iterations);
            Assert.Equal(straight, PairwiseDistancesTests.Bits(resumed));
            Assert.Equal(whole.Length, new FileInfo(Journal).Length);
        }
        Assert.Equal(0, Run(problem, Journal).Iterations);
    }

    [Fact]
    public void What_a_back_end_could_not_do_is_no_entry()
    {
        static Measure Points(int count) =>
            Measure.Uniform(new Matrix(count, 1, [.. Enumerable.Range(0, count).Select(k => k / 7.0)]));
        PairwiseProblem problem = PairwiseProblem.OfClouds(PairwiseQuantity.EntropicValue(), [Points(3), Points(4), Points(300)]);
        using var wide = new ManagedBackend(1);
        Measure large = problem.Rows[^1];
        long needed = wide.EstimateBytes(new PointCloud(large.Points!, large.Points!), Precision.Float64);
        using (var narrow = new ManagedBackend(1, memoryLimit: needed - 1))
        using (var journal = PairwiseJournal.Create(Journal, problem, backend: narrow))
        {
            var distances = new PairwiseDistances(new() { Finished = journal.Add }, narrow);
            Assert.Throws<BackendException>(() => distances.Solve(problem));
            Assert.NotEmpty(journal.Entries);
            Assert.All(journal.Entries, entry => Assert.Equal(SolverStatus.Converged, entry.Status));
        }
        using var resumed = PairwiseJournal.Resume(Journal, problem, backend: wide);
        Assert.True(new PairwiseDistances(backend: wide).Solve(problem, resumed.Entries).Converged);
    }

    [Fact]
    public void Parts_and_merge_equal_straight() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                using var folder = new TemporaryFolder();
                PairwiseProblem problem = some.Problem();
                string[] paths = [folder["1"], folder["2"], folder["3"]];
                for (int part = 3; part >= 1; part--)
                    Run(problem, paths[part - 1], new() { Part = part, Parts = 3 });
                PairwiseResult merged = PairwiseJournal.Merge(paths);
                PairwiseResult straight = new PairwiseDistances().Solve(problem);
                Assert.Equal((straight.Status, 0), (merged.Status, merged.Missing));
                Assert.Equal(PairwiseDistancesTests.Bits(straight), PairwiseDistancesTests.Bits(merged));
                PairwiseResult less = PairwiseJournal.Merge(paths[..2]);
                Assert.Equal(straight.Pairs / 3, less.Missing);
                Assert.Equal(less.Missing > 0 ? SolverStatus.Cancelled : straight.Status, less.Status);
            },
            quickCount: 40,
            fullCount: 400
        );

    [Fact]
    public void Every_bit_of_every_kind_of_entry_comes_back()
    {
        PairwiseProblem problem = Problem();
        double[] values = [0.1, -0.0, double.Epsilon, double.MaxValue, double.NaN, 1 / 3.0];
        PairwiseEntry[] entries =
        [
            .. values.Select(
                (value, k) =>
                    new PairwiseEntry(0, k == 0 ? 5 : k, value, (SolverStatus)(k % 7), k == 2 ? double.NaN : Math.PI / 1e9)
            ),
        ];
        using (var journal = PairwiseJournal.Create(Journal, problem))
        {
            foreach (PairwiseEntry entry in entries)
                journal.Add(entry);
        }
        using var again = PairwiseJournal.Resume(Journal, problem);
        Assert.Equal(entries, again.Entries);
        Assert.Equal(
            entries.Select(e => BitConverter.DoubleToInt64Bits(e.Value)),
            again.Entries.Select(e => BitConverter.DoubleToInt64Bits(e.Value))
        );
    }

    [Fact]
    public void A_journal_of_anything_else_is_refused()
    {
        PairwiseProblem problem = Problem();
        Run(problem, Journal);
        var options = new PairwiseOptions();
        Refused(Problem(5), options);
        Refused(problem, options with { Tolerance = 1e-7 });
        Refused(problem, options with { MaxIterations = 9_999 });
        Measure[] moved = [.. problem.Rows];
        double[] points = moved[3].Points!.Values.ToArray();
        points[0] = Math.BitIncrement(points[0]);
        moved[3] = Measure.Of(moved[3].Weights, new Matrix(points.Length / 2, 2, points));
        Refused(PairwiseProblem.OfClouds(problem.Quantity, moved), options);
        Refused(PairwiseProblem.OfClouds(PairwiseQuantity.Wasserstein(2), problem.Rows), options);
        Refused(PairwiseProblem.OfClouds(problem.Quantity, problem.Rows, problem.Rows), options);
        Refused(problem, options, new ManagedBackend(1));
        Refused(problem, options, new ManagedBackend(1, null, 0));
        // Threads, parts and limits change no entry.
        Run(problem, Journal, options with { Threads = 1, Part = 2, Parts = 2, TimeLimit = TimeSpan.FromHours(1) });

        void Refused(PairwiseProblem other, PairwiseOptions with, IBackend? on = null)
        {
            using IBackend? backend = on;
            byte[] before = File.ReadAllBytes(Journal);
            foreach (
                Action open in (Action[])
                    [() => PairwiseJournal.Resume(Journal, other, with, on), () => PairwiseJournal.Read(Journal, other, with, on)]
            )
            {
                InvalidDataException e = Assert.Throws<InvalidDataException>(open);
                Assert.Contains("belongs to other inputs or options", e.Message, StringComparison.Ordinal);
                Assert.Contains("delete it to start anew", e.Message, StringComparison.Ordinal);
            }
            Assert.Equal(before, File.ReadAllBytes(Journal));
        }
    }

    [Fact]
    public void A_journal_tells_by_what_its_entries_were_computed()
    {
        PairwiseProblem entropic = Problem(),
            exact = PairwiseProblem.OfClouds(PairwiseQuantity.Wasserstein(2), entropic.Rows);
        using var wide = new ManagedBackend(1);
        using var scalar = new ManagedBackend(1, null, 0);
        PairwiseJournal.Create(Journal, entropic, null, scalar).Dispose();
        Assert.Empty(PairwiseJournal.Read(Journal, entropic, null, scalar));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PairwiseJournal.Resume(Journal, entropic, null, wide));
        Assert.Contains("back end managed-scalar", e.Message, StringComparison.Ordinal);
        Assert.Contains($"back end {wide.Name}", e.Message, StringComparison.Ordinal);
        // Exact solvers run on no back end, and have no tolerance.
        PairwiseJournal.Create(_folder["e"], exact, null, scalar).Dispose();
        using var other = PairwiseJournal.Resume(_folder["e"], exact, new() { Tolerance = 1e-3 }, wide);
        Assert.Empty(other.Entries);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0,1\n1,0\n")]
    [InlineData("ot-pairwise-journalist")]
    [InlineData("ot-pairwise-journal 1 2 3\nfoo\n")]
    [InlineData("\n\n")]
    public void Another_file_is_left_alone(string content)
    {
        File.WriteAllText(Journal, content);
        bool torn = content.Length == 0 || !content.Contains('\n', StringComparison.Ordinal);
        if (torn)
        {
            using var journal = PairwiseJournal.Resume(Journal, Problem());
            Assert.Empty(journal.Entries);
            return;
        }
        Assert.Throws<InvalidDataException>(() => PairwiseJournal.Resume(Journal, Problem()));
        Assert.Throws<InvalidDataException>(() => PairwiseJournal.Merge(Journal));
        Assert.Equal(content, File.ReadAllText(Journal));
    }

    [Fact]
    public void Damage_in_the_middle_is_refused_and_at_the_end_dropped()
    {
        PairwiseProblem problem = Problem();
        Run(problem, Journal);
        byte[] whole = File.ReadAllBytes(Journal);
        int second = Array.IndexOf(whole, (byte)'\n') + 3;
        var damaged = (byte[])whole.Clone();
        damaged[second] ^= 1;
        File.WriteAllBytes(Journal, damaged);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PairwiseJournal.Resume(Journal, problem));
        Assert.Contains("line 2 is damaged", e.Message, StringComparison.Ordinal);
        Assert.Equal(damaged, File.ReadAllBytes(Journal));
        // What a machine that lost power may leave: zeros in place of the last lines.
        File.WriteAllBytes(Journal, [.. whole[..^30], .. new byte[30]]);
        Run(problem, Journal);
        Assert.Equal(whole.Length, new FileInfo(Journal).Length);
    }

    [Fact]
    public void A_journal_is_begun_once_and_written_by_one()
    {
        PairwiseProblem problem = Problem();
        using var journal = PairwiseJournal.Create(Journal, problem);
        Assert.Throws<IOException>(() => PairwiseJournal.Create(Journal, problem));
        Assert.Throws<IOException>(() => PairwiseJournal.Resume(Journal, problem));
    }

    [Fact]
    public void Journals_that_do_not_belong_together_are_not_joined()
    {
        Run(Problem(), _folder["a"]);
        Run(Problem(5), _folder["b"]);
        Assert.Throws<InvalidDataException>(() => PairwiseJournal.Merge(_folder["a"], _folder["b"]));
        using (var other = PairwiseJournal.Create(_folder["c"], Problem()))
            other.Add(new PairwiseEntry(0, 1, 123, SolverStatus.Converged, 0));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() =>
            PairwiseJournal.Merge(_folder["a"], _folder["a"], _folder["c"])
        );
        Assert.Contains("entry (0, 1) is 123", e.Message, StringComparison.Ordinal);
        File.WriteAllText(_folder["d"], "");
        Assert.Throws<InvalidDataException>(() => PairwiseJournal.Merge(_folder["d"]));
    }

    [Fact]
    public void The_matrix_is_saved_in_three_forms()
    {
        PairwiseResult result = Run(Problem(3), Journal);
        result.Save(_folder["d.csv"]);
        result.Save(_folder["d.npy"]);
        result.Save(_folder["d.npz"]);
        double[] values = result.Values.Values.ToArray();
        string text = File.ReadAllText(_folder["d.csv"], Encoding.ASCII);
        Assert.Equal(
            values,
            text.Split([',', '\n'], StringSplitOptions.RemoveEmptyEntries)
                .Select(field => double.Parse(field, System.Globalization.CultureInfo.InvariantCulture))
        );
        Assert.Equal(3, text.Count(c => c == '\n'));
        Assert.Equal(values, OT.IO.NpyFile.Read(_folder["d.npy"]).ToDoubles());
        Assert.Equal(values, OT.IO.NpzFile.Read(_folder["d.npz"], "values").ToDoubles());
        Assert.All(OT.IO.NpzFile.Read(_folder["d.npz"], "status").ToDoubles(), status => Assert.Equal(0, status));
        Assert.Throws<ArgumentException>(() => result.Save(_folder["d.txt"]));
    }

    public void Dispose() => _folder.Dispose();
}
