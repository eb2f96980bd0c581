using System.Text.Json;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Pairwise;
using OT.Problems;
using OT.Results;

namespace OT.Benchmarks;

/// <summary>A case as <c>benchmarks/peers/cases.py</c> wrote it to a folder: points <c>x</c>, <c>y</c> or a matrix <c>costs</c>, weights, and <c>case.json</c>.</summary>
sealed class PeerCase
{
    readonly double[]? _costs;

    PeerCase(string folder)
    {
        Matrix? Read(string name)
        {
            string path = Path.Combine(folder, $"{name}.npy");
            return File.Exists(path) ? NpyFile.Read(path).ToMatrix() : null;
        }
        Numbers = JsonSerializer.Deserialize<CaseNumbers>(
            File.ReadAllText(Path.Combine(folder, "case.json")),
            JsonSerializerOptions.Web
        )!;
        Matrix? costs = Read("costs");
        X = Read("x") ?? new Matrix(0, 0, []);
        Y = Read("y") ?? new Matrix(0, 0, []);
        A = Read("a") is { } a ? Measure.Of(a.Values) : Measure.Uniform(costs?.Rows ?? X.Rows);
        B = Read("b") is { } b ? Measure.Of(b.Values) : Measure.Uniform(costs?.Columns ?? Y.Rows);
        Reference = Read("reference");
        _costs = costs?.Values.ToArray();
        if (Numbers.Rho > 0)
            MeasureEntropyByMass(_costs!);
    }

    public CaseNumbers Numbers { get; }

    /// <summary>The points, 0 × 0 where costs are given.</summary>
    public Matrix X { get; }

    public Matrix Y { get; }

    public Measure A { get; }

    public Measure B { get; }

    /// <summary>The plan that the answer is compared with, where the marginals do not tell its accuracy.</summary>
    Matrix? Reference { get; }

    public static PeerCase Read(string folder) => new(folder);

    /// <summary>The problem, made anew: nothing that it remembers of its costs is known to the next solve.</summary>
    public LinearProblem Problem()
    {
        GroundCost cost = Numbers.Power == 1 ? GroundCost.CityBlock : GroundCost.SquaredEuclidean;
        Geometry geometry = _costs is null ? new PointCloud(X, Y, cost) : new CostMatrix(A.Count, B.Count, _costs);
        MarginalPenalty penalty = Numbers.Rho > 0 ? MarginalPenalty.KullbackLeibler(Numbers.Rho) : MarginalPenalty.Exact;
        return new LinearProblem(geometry, A, B)
        {
            Regularizer =
                Numbers.Kind == "quadratic" ? Regularizer.Quadratic(Numbers.Epsilon)
                : Numbers.Epsilon > 0 ? Regularizer.Entropy(Epsilon.Absolute(Numbers.Epsilon))
                : Regularizer.None,
            PenaltyA = penalty,
            PenaltyB = penalty,
        };
    }

    /// <summary>Problems between clouds in the plane, one a row of X and of Y; ε is a share of each mean cost.</summary>
    public ProblemBatch Batch()
    {
        static int[] Offsets(Matrix clouds) => [.. Enumerable.Range(0, clouds.Rows + 1).Select(k => k * clouds.Columns / 2)];
        static Matrix Points(Matrix clouds) => new(clouds.Rows * clouds.Columns / 2, 2, clouds.Values.ToArray());
        return ProblemBatch.OfPoints(Points(X), Offsets(X), Points(Y), Offsets(Y)) with
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(Numbers.Epsilon)),
        };
    }

    /// <summary>All pairs of the histograms in the rows of X, each once: exact costs, or those of entropic plans.</summary>
    public PairwiseProblem Pairs()
    {
        var costs = new CostMatrix(X.Columns, X.Columns, _costs!);
        Measure[] measures = [.. Enumerable.Range(0, X.Rows).Select(k => Measure.Of(X.Row(k)))];
        PairwiseQuantity quantity =
            Numbers.Epsilon > 0
                ? PairwiseQuantity.EntropicCost(Epsilon.Absolute(Numbers.Epsilon))
                : PairwiseQuantity.TransportCost;
        return PairwiseProblem.OfHistograms(quantity, costs, measures);
    }

    /// <summary>The L1 error of the marginals, or of the plan where a reference is given; and the largest error of an entry beside the largest entry.</summary>
    public (double L1, double? Entry) Error(TransportResult result)
    {
        if (Reference is null)
            return (result.MarginalError, null);
        double sum = 0,
            worst = 0,
            largest = 0;
        var row = new double[Reference.Columns];
        for (int i = 0; i < Reference.Rows; i++)
        {
            result.Plan.Row(i, row);
            ReadOnlySpan<double> expected = Reference.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                double difference = Math.Abs(row[j] - expected[j]);
                sum += difference;
                worst = Math.Max(worst, difference);
                largest = Math.Max(largest, expected[j]);
            }
        }
        return (sum, worst / largest);
    }

    /// <summary>⟨C, P⟩ for the costs as the peers know them.</summary>
    public double Cost(TransportResult result)
    {
        if (Numbers.Rho == 0)
            return result.TransportCost;
        (double[] rows, double[] columns) = result.Plan.Marginals();
        double shift = 0;
        for (int i = 0; i < rows.Length; i++)
            shift += rows[i] * Math.Log(A.Weights[i]);
        for (int j = 0; j < columns.Length; j++)
            shift += columns[j] * Math.Log(B.Weights[j]);
        return result.TransportCost - (Numbers.Epsilon * shift);
    }

    /// <summary>
    /// Peers minimise <c>⟨C, P⟩ + ε Σ P (log P − 1)</c>, entropy relative to 1; ours is relative to a ⊗ b. With <c>C + ε (log a ⊕ log b)</c> for C ours is
    /// theirs up to a constant: <c>ε P log(P / ab) + P ε log(ab) = ε P log P</c>.
    /// </summary>
    void MeasureEntropyByMass(double[] costs)
    {
        for (int i = 0; i < A.Count; i++)
        {
            for (int j = 0; j < B.Count; j++)
                costs[(i * B.Count) + j] += Numbers.Epsilon * (Math.Log(A.Weights[i]) + Math.Log(B.Weights[j]));
        }
    }
}

/// <summary>The numbers of a case: ε and ρ in cost units, 0 where there are none; the power p of the distance; the L1 error to be reached.</summary>
sealed record CaseNumbers(string Kind, double Epsilon, double Rho, double Power, double Tolerance);
