using System.Text.Json;
using OT.IO;
using OT.Numerics;
using OT.Pairwise;
using OT.Problems;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot pairwise</c>: the library's matrix in a file, whatever happened on the way.</summary>
public sealed class PairwiseCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    /// <summary>Five clouds of two to six points.</summary>
    string[] Clouds =>
        [
            .. Enumerable
                .Range(0, 5)
                .Select(k =>
                    _files.Write($"{k}.csv", string.Concat(Enumerable.Range(0, k + 2).Select(i => $"{i * k % 4},{i}\n")))
                ),
        ];

    string[] Divergence => [.. Clouds, "--method", "divergence", "--epsilon", "0.5", "--output", _files["d.csv"]];

    static Outcome Pairwise(params string[] args) => Ot.Run(["pairwise", .. args]);

    /// <summary>A whole run, and what it wrote.</summary>
    byte[] Straight()
    {
        Assert.Equal(0, Pairwise(Divergence).Code);
        byte[] matrix = File.ReadAllBytes(_files["d.csv"]);
        File.Delete(_files["d.csv"]);
        return matrix;
    }

    [Fact]
    public void The_matrix_is_the_librarys_and_the_journal_is_gone()
    {
        Measure[] measures = [.. Clouds.Select(path => Measure.Uniform(Points(path)))];
        PairwiseResult expected = new PairwiseDistances().Solve(
            PairwiseProblem.OfClouds(PairwiseQuantity.Wasserstein(1), measures)
        );
        JsonElement report = Ot.Json(["pairwise", .. Clouds, "--method", "wasserstein", "--p", "1", "--output", _files["w.npy"]]);
        NpyArray matrix = NpyFile.Read(_files["w.npy"]);
        Assert.Equal([5, 5], matrix.Shape);
        Assert.Equal(expected.Values.Values.ToArray(), matrix.ToDoubles());
        Assert.Equal((10, 10), ((int)report.Number("pairs"), (int)report.GetProperty("statuses").Number("Converged")));
        Assert.False(File.Exists(_files["w.npy.journal"]));
    }

    [Fact]
    public void A_list_gives_the_same_as_its_files_and_columns_their_block()
    {
        byte[] straight = Straight();
        string list = _files.Write("all.txt", "# beside this file\n0.csv\n1.csv\n\n2.csv\n3.csv\n4.csv\n"),
            some = _files.Write("some.txt", "3.csv\n4.csv\n");
        string[] rest = ["--method", "divergence", "--epsilon", "0.5", "--output", _files["d.csv"]];
        Assert.Equal(0, Pairwise(["--list", list, .. rest]).Code);
        Assert.Equal(straight, File.ReadAllBytes(_files["d.csv"]));
        Assert.Equal(0, Pairwise(["--list", list, "--against", some, .. rest]).Code);
        string[][] whole = Rows(System.Text.Encoding.ASCII.GetString(straight)),
            block = Rows(File.ReadAllText(_files["d.csv"]));
        for (int i = 0; i < 3; i++)
            Assert.Equal(whole[i][3..], block[i]);

        static string[][] Rows(string text) =>
            [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(','))];
    }

    [Fact]
    public void Histograms_over_bins_or_their_costs()
    {
        string bins = _files.Write("bins.csv", "0\n1\n3\n"),
            costs = _files.Write("costs.csv", "0,1,9\n1,0,4\n9,4,0\n"),
            distances = _files.Write("distances.csv", "0,1,3\n1,0,2\n3,2,0\n"),
            histograms = _files.Write("h.csv", "1,0,0\n0,1,0\n0,0.5,0.5\n");
        double half = Math.Sqrt((0.5 * 1) + (0.5 * 9)),
            near = Math.Sqrt(0.5 * 4);
        double[] expected = [0, 1, half, 1, 0, near, half, near, 0];
        Check(["--bins", bins, "--method", "wasserstein"], x => x);
        Check(["--cost-matrix", distances, "--method", "wasserstein"], x => x);
        Check(["--bins", bins, "--method", "cost"], x => x * x);
        Check(["--cost-matrix", costs, "--method", "cost"], x => x * x);

        void Check(string[] how, Func<double, double> of)
        {
            Outcome outcome = Pairwise(["--histograms", histograms, .. how, "--output", _files["m.npy"]]);
            Assert.True(outcome.Code == 0, outcome.Error);
            double[] values = NpyFile.Read(_files["m.npy"]).ToDoubles();
            for (int k = 0; k < expected.Length; k++)
                Assert.Equal(of(expected[k]), values[k], 1e-14);
        }
    }

    [Fact]
    public void ResumeEqualsStraight()
    {
        byte[] straight = Straight();
        Assert.Equal(0, Pairwise([.. Divergence, "--part", "1/1"]).Code);
        byte[] journal = File.ReadAllBytes(_files["d.csv.1-of-1.journal"]);
        for (int length = 0; length <= journal.Length; length += 41)
        {
            File.WriteAllBytes(_files["d.csv.journal"], journal[..length]);
            Outcome refused = Pairwise(Divergence);
            Assert.Equal(2, refused.Code);
            Assert.Contains("give --resume", refused.OnlyLine(), StringComparison.Ordinal);
            Assert.Equal(0, Pairwise([.. Divergence, "--resume"]).Code);
            Assert.Equal(straight, File.ReadAllBytes(_files["d.csv"]));
            Assert.False(File.Exists(_files["d.csv.journal"]));
        }
    }

    [Fact]
    public void An_interrupted_run_keeps_its_entries_and_says_how_to_go_on()
    {
        using var interrupt = new CancellationTokenSource();
        interrupt.Cancel();
        Outcome cut = Ot.Run("", interrupt.Token, ["pairwise", .. Divergence]);
        Assert.Equal(1, cut.Code);
        Assert.False(File.Exists(_files["d.csv"]));
        Outcome late = Pairwise([.. Divergence, "--resume", "--time-limit", "1e-9"]);
        Assert.Equal(1, late.Code);
        Assert.Contains("--resume goes on", late.Error, StringComparison.Ordinal);
        Assert.Contains("TimeLimit", late.Output, StringComparison.Ordinal);
        Assert.Equal(0, Pairwise([.. Divergence, "--resume"]).Code);
        byte[] resumed = File.ReadAllBytes(_files["d.csv"]);
        Assert.Equal(Straight(), resumed);
    }

    [Fact]
    public void Parts_and_merge_equal_straight()
    {
        byte[] straight = Straight();
        string[] journals = [.. Enumerable.Range(1, 3).Select(k => _files[$"d.csv.{k}-of-3.journal"])];
        foreach (int k in (int[])[2, 1])
            Assert.Equal(0, Pairwise([.. Divergence, "--part", $"{k}/3"]).Code);
        Assert.False(File.Exists(_files["d.csv"]));
        Outcome early = Pairwise(["--merge", journals[0], journals[1], "--output", _files["d.csv"]]);
        Assert.Equal(2, early.Code);
        Assert.Contains("3 of 10 entries are missing", early.OnlyLine(), StringComparison.Ordinal);
        Assert.False(File.Exists(_files["d.csv"]));
        Assert.Equal(0, Pairwise([.. Divergence, "--part", "3/3"]).Code);
        Assert.Equal(0, Pairwise(["--merge", .. journals, "--output", _files["d.csv"]]).Code);
        Assert.Equal(straight, File.ReadAllBytes(_files["d.csv"]));
        Assert.All(journals, journal => Assert.True(File.Exists(journal)));
    }

    [Fact]
    public void A_pair_without_a_plan_is_nan_and_exit_code_3()
    {
        string histograms = _files.Write("h.csv", "1,0\n0,1\n2,0\n"),
            bins = _files.Write("bins.csv", "0\n1\n");
        string[] args = ["--histograms", histograms, "--bins", bins, "--method", "cost", "--output", _files["m.csv"]];
        Outcome outcome = Pairwise(args);
        Assert.Equal(3, outcome.Code);
        Assert.Contains("1 Converged, 2 Infeasible", outcome.Output, StringComparison.Ordinal);
        Assert.Equal("0,1,nan\n1,0,nan\nnan,nan,0\n", File.ReadAllText(_files["m.csv"]));
    }

    [Theory]
    [InlineData("--output d.csv", "no measures")]
    [InlineData("a.csv --output d.csv", "--method is missing")]
    [InlineData("a.csv --method cost", "--output is missing")]
    [InlineData("a.csv --method cost --output d.txt", "a matrix of distances is .csv, .npy or .npz")]
    [InlineData("a.csv --method nearest --output d.csv", "--method nearest: not known")]
    [InlineData("a.csv --method cost --epsilon 1 --output d.csv", "--epsilon means nothing with --method cost")]
    [InlineData("a.csv --method divergence --p 1 --output d.csv", "--p means nothing with --method divergence")]
    [InlineData("a.csv --method wasserstein --p 0.5 --output d.csv", "must be at least 1")]
    [InlineData("a.csv --method wasserstein --cost sqeuclidean --output d.csv", "is no distance")]
    [InlineData("a.csv --method sliced --cost euclidean --output d.csv", "--cost means nothing with --method sliced")]
    [InlineData("a.csv --method cost --projections 9 --output d.csv", "--projections means nothing with --method cost")]
    [InlineData("a.csv --method cost --bins a.csv --output d.csv", "--bins means nothing without --histograms")]
    [InlineData("a.csv --histograms a.csv --method cost --output d.csv", "give one of them")]
    [InlineData("--histograms a.csv --method cost --output d.csv", "give --cost-matrix or --bins")]
    [InlineData("--histograms a.csv --bins b.csv --method cost --output d.csv", "a.csv: 2 columns for 3 bins")]
    [InlineData("--histograms b.csv --cost-matrix z.csv --method cost --output d.csv", "b.csv: 1 columns for 2 bins")]
    [InlineData("a.csv b.csv --method cost --output d.csv", "b.csv has 1 coordinates, the first of the rows 2")]
    [InlineData("a.csv a.csv --method cost --part 3/2 --output d.csv", "--part 3/2: must be k/K")]
    [InlineData("a.csv a.csv --method cost --part x --output d.csv", "--part x: must be k/K")]
    [InlineData("a.csv z.csv --method cost --output z.csv", "z.csv: is an input too")]
    [InlineData("--merge z.csv --output z.csv", "z.csv: is an input too")]
    [InlineData("--merge --output d.csv", "which journals")]
    [InlineData("--merge a.csv --output d.csv", "a.csv: is not a journal")]
    [InlineData("--merge a.csv --resume --output d.csv", "--resume means nothing with --merge")]
    [InlineData("a.csv missing.csv --method cost --output d.csv", "missing.csv: no such file")]
    [InlineData("--list e.txt --method cost --output d.csv", "e.txt: lists no file")]
    public void Bad_input_is_refused_in_one_line(string words, string expected)
    {
        _files.Write("a.csv", "1,0\n0,1\n");
        _files.Write("b.csv", "1\n2\n3\n");
        _files.Write("z.csv", "0,1\n1,0\n");
        _files.Write("e.txt", "# nothing\n");
        string[] args =
        [
            .. words.Split(' ').Select(word => Path.HasExtension(word) && char.IsLetter(word[0]) ? _files[word] : word),
        ];
        Outcome outcome = Pairwise(args);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(expected, outcome.OnlyLine(), StringComparison.Ordinal);
        Assert.False(File.Exists(_files["d.csv"]));
    }

    [Fact]
    public void Other_inputs_do_not_resume_a_journal()
    {
        Assert.Equal(0, Pairwise([.. Divergence, "--part", "1/2"]).Code);
        Outcome outcome = Pairwise([.. Divergence, "--part", "1/2", "--resume", "--tolerance", "1e-3"]);
        Assert.Equal(2, outcome.Code);
        Assert.Contains("belongs to other inputs or options", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    static Matrix Points(string path)
    {
        double[][] rows =
        [
            .. File.ReadAllLines(path)
                .Select(line =>
                    line.Split(',')
                        .Select(field => double.Parse(field, System.Globalization.CultureInfo.InvariantCulture))
                        .ToArray()
                ),
        ];
        return new Matrix(rows.Length, 2, [.. rows.SelectMany(row => row)]);
    }

    public void Dispose() => _files.Dispose();
}
